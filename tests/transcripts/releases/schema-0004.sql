BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE conversations (
	uuid TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	by_client BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, shipped_at BIGINT, refused TEXT, 
	PRIMARY KEY (uuid)
);
INSERT INTO "conversations" VALUES('4d36ec1f-2395-42fb-957f-ad766ba1b7c8','7affb7b8-2247-46f7-bee6-a570a24e6087',0,1795267152688,NULL,NULL);
INSERT INTO "conversations" VALUES('7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0001',1,1795267157319,NULL,NULL);
INSERT INTO "conversations" VALUES('a8ea2bce-9d9e-494c-8d8e-8db8222b384d','64c46b8e-1cef-4b4c-ad8d-6c3dd3e64cc1',0,1795267159493,NULL,NULL);
CREATE TABLE feedback (
	turn_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	rating TEXT, 
	comment TEXT, 
	given_at BIGINT NOT NULL, shipped_at BIGINT, refused TEXT, 
	PRIMARY KEY (turn_id, n), 
	FOREIGN KEY(turn_id) REFERENCES turns (id)
);
INSERT INTO "feedback" VALUES('5f233a83-679d-42a9-a331-328a16ad3c86',0,'up','nice',1795267153224,NULL,NULL);
INSERT INTO "feedback" VALUES('5f233a83-679d-42a9-a331-328a16ad3c86',1,'down',NULL,1795267153227,NULL,NULL);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE probe (
	id INTEGER NOT NULL, 
	written_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "probe" VALUES(1,1795267159482);
CREATE TABLE tombstones (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	asked_at BIGINT NOT NULL, 
	step TEXT NOT NULL, 
	done_at BIGINT, 
	PRIMARY KEY (id)
);
CREATE TABLE turns (
	id TEXT NOT NULL, 
	conversation_uuid TEXT NOT NULL, 
	turn_index INTEGER NOT NULL, 
	client_id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	state TEXT NOT NULL, 
	text TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	accepted_at BIGINT NOT NULL, 
	started_at BIGINT, 
	first_piece_at BIGINT, 
	stop_requested_at BIGINT, 
	finished_at BIGINT, 
	citations JSON, 
	usage JSON, 
	model TEXT, 
	response_id TEXT, 
	corrected BOOLEAN NOT NULL, 
	error_code TEXT, 
	error_message TEXT, 
	page_url TEXT, 
	page_title TEXT, assistant TEXT, thread_id TEXT, run_id TEXT, request_ids JSON, client_ip TEXT, user_agent TEXT, shipped_at BIGINT, refused TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT one_turn_of_a_client_id UNIQUE (conversation_uuid, client_id), 
	CONSTRAINT one_turn_of_an_index UNIQUE (conversation_uuid, turn_index), 
	FOREIGN KEY(conversation_uuid) REFERENCES conversations (uuid)
);
INSERT INTO "turns" VALUES('5f233a83-679d-42a9-a331-328a16ad3c86','4d36ec1f-2395-42fb-957f-ad766ba1b7c8',0,'44040550-9820-4f02-8662-c03c7e7f5ab5','3b8ee8d09a714769b45257e80b251e49','complete','hello','Hello! I am the **built-in demo** of this chat server: no model, no key, no network. I can tell you

1. what this server is,
2. how to put the chat on your site,
3. how to connect a real model.

Just ask, or read the short tour in the README [1].',17,1795267152688,1795267152693,1795267152697,NULL,1795267153207,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 1, "output_tokens": 52}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('44dce9cb-2203-4963-ab08-83f76f72fc81','4d36ec1f-2395-42fb-957f-ad766ba1b7c8',1,'4a34e296-ad46-4732-bc31-c835195cc61d','3b8ee8d09a714769b45257e80b251e49','complete','What is stored?','Messages and answers are written to a **journal**, one SQLite file in the folder `DATA_DIR`, before they are acknowledged:

```bash
sqlite3 data/journal.sqlite3 "SELECT text, state, answer FROM turns"
```

Nothing is stored for a visitor who writes nothing, and no text or key is ever written to a log. The ids of a conversation are given out by the server and signed; a token opens only the conversation that it names [1].',24,1795267153229,1795267153230,1795267153232,NULL,1795267153943,'[{"n": 1, "filename": "docs/transcripts.md"}]','{"input_tokens": 3, "output_tokens": 72}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('675ec7ad-2983-4058-8aeb-ced5e0af9f48','4d36ec1f-2395-42fb-957f-ad766ba1b7c8',2,'d5392563-34b2-4a17-b06c-80df47030538','3b8ee8d09a714769b45257e80b251e49','stopped','What is this?','This is a **realtime chat server** for assistants. ',2,1795267153954,1795267153956,1795267153957,1795267154030,1795267154031,'[]','null',NULL,NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('6e0a1eb7-a1d5-465d-9b0e-d4d9e07f3e72','4d36ec1f-2395-42fb-957f-ad766ba1b7c8',3,'with-page','3b8ee8d09a714769b45257e80b251e49','complete','grüße 🙂','I am only a small demo, so I did not really understand that. A real model would have been given the conversation so far and answered in its context.

Here is what I know something about:

- **embedding**: one script tag on any page,
- **models**: OpenAI, or any server that speaks its API,
- **running it**: gunicorn, health checks, metrics,
- **reliability**: reloads, cuts, restarts,
- **what is kept** of a conversation.

Each of these words in a message gets you a short answer. The long form is in the README [1].',30,1795267154034,1795267154036,1795267154038,NULL,1795267154959,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 2, "output_tokens": 93}','demo',NULL,0,NULL,NULL,'https://www.example.com/a','A page','demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('2b2aaac6-5d07-4656-a9ea-156c47671623','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002',0,'c98ded57-16cd-4d87-8c8f-a3a6d3bd9c91','41cdc97e6c5c48f387d27a7b2a0c630e','failed','fail please','This is a **realtime chat server** for assistants. A browser connects by ',1,1795267157319,1795267157324,1795267157330,NULL,1795267157331,'[]','null',NULL,NULL,0,'assistant_unavailable','The demo was asked to fail, and so it does (DEMO_ANSWER=failing).',NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('c29ebdda-6841-4a48-a385-bd25f4e9b2c3','a8ea2bce-9d9e-494c-8d8e-8db8222b384d',0,'22688880-ecc0-4912-9caa-4e646efd9528','942dedccefe1496290333c246519dd50','running','What is this?','This is a **realtime chat server** for assistants. A browser connects ',10,1795267159493,1795267159497,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('164c9431-33fc-40f3-8754-448face6b22e','a8ea2bce-9d9e-494c-8d8e-8db8222b384d',1,'85d475c6-f845-4f9c-ac9d-4f6656f4eea6','942dedccefe1496290333c246519dd50','queued','waiting','',-1,1795267159502,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX conversations_of_user ON conversations (user_id, created_at);
CREATE UNIQUE INDEX one_running_turn ON turns (conversation_uuid) WHERE state = 'running';
CREATE INDEX unfinished_turns ON turns (owner) WHERE finished_at IS NULL;
CREATE INDEX unfinished_of_conversation ON turns (conversation_uuid, turn_index) WHERE finished_at IS NULL;
CREATE INDEX turns_by_time ON turns (accepted_at, id);
CREATE INDEX unshipped_conversations ON conversations (created_at) WHERE shipped_at IS NULL AND refused IS NULL;
CREATE INDEX refused_conversations ON conversations (created_at) WHERE refused IS NOT NULL;
CREATE INDEX unshipped_turns ON turns (finished_at) WHERE shipped_at IS NULL AND refused IS NULL;
CREATE INDEX refused_turns ON turns (finished_at) WHERE refused IS NOT NULL;
CREATE INDEX unshipped_feedback ON feedback (given_at) WHERE shipped_at IS NULL AND refused IS NULL;
CREATE INDEX refused_feedback ON feedback (given_at) WHERE refused IS NOT NULL;
CREATE INDEX tombstones_of_subject ON tombstones (kind, subject);
COMMIT;
