BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE conversations (
	uuid TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	by_client BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (uuid)
);
INSERT INTO "conversations" VALUES('6398a16d-aa0f-49b3-b73a-462eb9b6c750','f384e420-6043-4b96-81a7-f12540dc5a27',0,1795263037065);
INSERT INTO "conversations" VALUES('7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0001',1,1795263041040);
INSERT INTO "conversations" VALUES('80625a2f-86c0-4991-85ce-b2a1de2f8836','74135448-8aba-4b5e-8155-d9619415bba5',0,1795263043714);
CREATE TABLE feedback (
	turn_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	rating TEXT, 
	comment TEXT, 
	given_at BIGINT NOT NULL, 
	PRIMARY KEY (turn_id, n), 
	FOREIGN KEY(turn_id) REFERENCES turns (id)
);
INSERT INTO "feedback" VALUES('b9638615-bd58-4aa6-a47f-af12dd96507e',0,'up','nice',1795263037587);
INSERT INTO "feedback" VALUES('b9638615-bd58-4aa6-a47f-af12dd96507e',1,'down',NULL,1795263037590);
CREATE TABLE probe (
	id INTEGER NOT NULL, 
	written_at BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "probe" VALUES(1,1795263043695);
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
	page_title TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT one_turn_of_a_client_id UNIQUE (conversation_uuid, client_id), 
	CONSTRAINT one_turn_of_an_index UNIQUE (conversation_uuid, turn_index), 
	FOREIGN KEY(conversation_uuid) REFERENCES conversations (uuid)
);
INSERT INTO "turns" VALUES('b9638615-bd58-4aa6-a47f-af12dd96507e','6398a16d-aa0f-49b3-b73a-462eb9b6c750',0,'864f7548-eb2e-4234-8594-573a6cba62f0','e4b74f2dc889413b8da2a27e1b434df7','complete','hello','Hello! I am the **built-in demo** of this chat server: no model, no key, no network. I can tell you

1. what this server is,
2. how to put the chat on your site,
3. how to connect a real model.

Just ask, or read the short tour in the README [1].',17,1795263037065,1795263037068,1795263037069,NULL,1795263037580,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 1, "output_tokens": 52}','demo',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('3d4e96fe-2146-4a2c-95b3-d34f7c85e139','6398a16d-aa0f-49b3-b73a-462eb9b6c750',1,'d6df2673-b23a-49b7-a17b-79ea967a2f45','e4b74f2dc889413b8da2a27e1b434df7','complete','What is stored?','Messages and answers are written to a **journal**, one SQLite file in the folder `DATA_DIR`, before they are acknowledged:

```bash
sqlite3 data/journal.sqlite3 "SELECT text, state, answer FROM turns"
```

Nothing is stored for a visitor who writes nothing, and no text or key is ever written to a log. The ids of a conversation are given out by the server and signed; a token opens only the conversation that it names [1].',23,1795263037591,1795263037592,1795263037593,NULL,1795263038304,'[{"n": 1, "filename": "docs/transcripts.md"}]','{"input_tokens": 3, "output_tokens": 72}','demo',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('c4944a37-94cf-4516-96e0-3d4431271f60','6398a16d-aa0f-49b3-b73a-462eb9b6c750',2,'04037d32-2736-41ba-bcb7-3ccf68c6475a','e4b74f2dc889413b8da2a27e1b434df7','stopped','What is this?','This is a **realtime chat server** for assistants. ',3,1795263038315,1795263038317,1795263038317,1795263038391,1795263038392,'[]','null',NULL,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('91bdb26c-c3a1-4574-bdd2-85e7cf36723d','6398a16d-aa0f-49b3-b73a-462eb9b6c750',3,'with-page','e4b74f2dc889413b8da2a27e1b434df7','complete','grüße 🙂','I am only a small demo, so I did not really understand that. A real model would have been given the conversation so far and answered in its context.

Here is what I know something about:

- **embedding**: one script tag on any page,
- **models**: OpenAI, or any server that speaks its API,
- **running it**: gunicorn, health checks, metrics,
- **reliability**: reloads, cuts, restarts,
- **what is kept** of a conversation.

Each of these words in a message gets you a short answer. The long form is in the README [1].',30,1795263038395,1795263038396,1795263038396,NULL,1795263039317,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 2, "output_tokens": 93}','demo',NULL,0,NULL,NULL,'https://www.example.com/a','A page');
INSERT INTO "turns" VALUES('272ea90a-5777-404b-9755-c34619f587c7','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002',0,'0e86fc73-a932-4773-8fc3-8eec345a38ba','53beb69d60aa4ca1978ff13890e491d2','failed','fail please','This is a **realtime chat server** for assistants. A browser connects by ',1,1795263041040,1795263041044,1795263041045,NULL,1795263041045,'[]','null',NULL,NULL,0,'assistant_unavailable','The demo was asked to fail, and so it does (DEMO_ANSWER=failing).',NULL,NULL);
INSERT INTO "turns" VALUES('25f0f111-f99e-4025-9b19-3525856b869e','80625a2f-86c0-4991-85ce-b2a1de2f8836',0,'92f60e06-f570-4b08-9619-55c42a5a6197','bc72fb5e880b4ac095266e1782914009','running','What is this?','This is a **realtime chat server** for assistants. A browser connects ',10,1795263043714,1795263043718,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('f02bec87-0de4-4510-a9be-4d46d554eaa4','80625a2f-86c0-4991-85ce-b2a1de2f8836',1,'a93c56d3-c10d-4a78-9acc-d50ad33da9a7','bc72fb5e880b4ac095266e1782914009','queued','waiting','',-1,1795263043721,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL);
CREATE INDEX conversations_of_user ON conversations (user_id, created_at);
CREATE UNIQUE INDEX one_running_turn ON turns (conversation_uuid) WHERE state = 'running';
CREATE INDEX unfinished_turns ON turns (owner) WHERE finished_at IS NULL;
COMMIT;
