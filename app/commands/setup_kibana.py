"""`python -m app setup-kibana`: imports the dashboard and what belongs to it into Kibana; again replaces it."""

from __future__ import annotations

from app.commands import Commands
from app.errors import ChatServerError
from app.settings import load
from app.transcripts.kibana import Kibana, objects_for

WAIT = 180.0


def setup_kibana(wait: float) -> bool:
    """Import, tell how it goes, and say whether all of it is there. `wait`: seconds that Kibana may take to start."""
    try:
        settings = load()
        kibana = Kibana(settings, lambda line: print(f"--  {line}", flush=True))
        objects = objects_for(settings.es_index)
        kibana.wait_until_ready(wait)
        address = kibana.load(objects)
    except ChatServerError as error:
        print(f"!!  {error}")
        return False
    except KeyboardInterrupt:
        print("!!  ended by you")
        return False
    print(f"ok  the data view is over {settings.es_index}; the dashboard: {address}")
    return True


def add(commands: Commands) -> None:
    parser = commands.add_parser("setup-kibana", help="import data view, transcripts and dashboard into Kibana")
    parser.add_argument(
        "--wait", type=float, default=WAIT, metavar="SECONDS", help=f"how long Kibana may take to start ({WAIT:.0f})"
    )
    parser.set_defaults(run=lambda arguments: 0 if setup_kibana(arguments.wait) else 1)
