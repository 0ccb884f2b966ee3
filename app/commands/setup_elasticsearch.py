"""`python -m app setup-elasticsearch`: installs the template and the index that transcripts go to.

Safe to repeat. Exit code 0: documents can be written. `--show-keys` prints the requests that make the three API keys
of docs/transcripts.md, and connects nowhere.
"""

from __future__ import annotations

import argparse
import json
import sys

from app.commands import Commands
from app.errors import ChatServerError, SettingsError
from app.settings import load
from app.settings_elasticsearch import ElasticsearchSettings
from app.transcripts.elastic import Elastic
from app.transcripts.elastic_login import PREFIXES
from app.transcripts.elastic_setup import key_request


def set_up(settings: ElasticsearchSettings) -> None:
    """Do it and print each step. Raises `ElasticError`, and `SettingsError` without an address."""
    if settings.es_address is None:
        raise SettingsError("ES_URL: it is not set; set it to the address of Elasticsearch")
    for warning in settings.elasticsearch_warnings:
        print(f"--  {warning}")
    print(f"--  Elasticsearch at {settings.es_address}", flush=True)
    for line in Elastic(settings, "setup").set_up():
        print(f"ok  {line}", flush=True)


def show_keys(index: str) -> None:
    """Print a request for each key, as Kibana's Dev Tools take them."""
    for role, prefix in PREFIXES.items():
        print(f"# {prefix}_API_KEY: the answer's `encoded`")
        print(f"POST /_security/api_key\n{json.dumps(key_request(role, index), indent=2)}\n")


def run(arguments: argparse.Namespace) -> int:
    try:
        settings = load()
        if arguments.show_keys:
            show_keys(settings.es_index)
        else:
            set_up(settings)
    except ChatServerError as error:
        print(f"!!  {error}", file=sys.stderr)
        return 1
    return 0


def add(commands: Commands) -> None:
    parser = commands.add_parser("setup-elasticsearch", help="install the index and its template in Elasticsearch")
    parser.add_argument("--show-keys", action="store_true", help="print the requests that make the three API keys")
    parser.set_defaults(run=run)
