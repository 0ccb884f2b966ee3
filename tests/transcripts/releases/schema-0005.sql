BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE conversations (
	uuid TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	by_client BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, shipped_at BIGINT, refused TEXT, by_user_token BOOLEAN DEFAULT 0 NOT NULL, last_at BIGINT, 
	PRIMARY KEY (uuid)
);
INSERT INTO "conversations" VALUES('cf7006cb-6935-49b4-aa6a-e204825ee4f9','28a9ce60-1040-4dfb-ae18-a79712cfa210',0,1795283405745,NULL,NULL,0,NULL);
INSERT INTO "conversations" VALUES('7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0001',1,1795283405818,NULL,NULL,0,NULL);
INSERT INTO "conversations" VALUES('2d158ef7-11d4-4ee2-b203-04c073b098a1','ada@example.com',0,1795283405851,NULL,NULL,1,1795283405851);
INSERT INTO "conversations" VALUES('11b0848e-6cd5-453b-a3f3-b4f46cad8b64','ada@example.com',0,1795283405877,NULL,NULL,1,1795283405877);
CREATE TABLE feedback (
	turn_id TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	rating TEXT, 
	comment TEXT, 
	given_at BIGINT NOT NULL, shipped_at BIGINT, refused TEXT, 
	PRIMARY KEY (turn_id, n), 
	FOREIGN KEY(turn_id) REFERENCES turns (id)
);
INSERT INTO "feedback" VALUES('a14589ab-bace-4747-879a-1628ad45f7b2',0,'up','nice',1795283405765,NULL,NULL);
INSERT INTO "feedback" VALUES('a14589ab-bace-4747-879a-1628ad45f7b2',1,'down',NULL,1795283405772,NULL,NULL);
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
INSERT INTO "probe" VALUES(1,1795283405718);
CREATE TABLE tombstones (
	id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	asked_at BIGINT NOT NULL, 
	step TEXT NOT NULL, 
	done_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "tombstones" VALUES(1,'user','bob',1795283405932,'journal',1795283406964);
INSERT INTO "tombstones" VALUES(2,'aged','b37e9e7e-9e42-40d0-ad10-4991d7aa6547',1795283406951,'looked',1795283406951);
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
INSERT INTO "turns" VALUES('a14589ab-bace-4747-879a-1628ad45f7b2','cf7006cb-6935-49b4-aa6a-e204825ee4f9',0,'f09bed5d-7d85-494e-8c7f-9bf7dc9bf096','9f074ae3ee824959a7066d075a2f5ea5','complete','hello','Hello! I am the **built-in demo** of this chat server: no model, no key, no network. I can tell you

1. what this server is,
2. how to put the chat on your site,
3. how to connect a real model.

Just ask, or read the short tour in the README [1].',1,1795283405745,1795283405750,1795283405754,NULL,1795283405755,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 1, "output_tokens": 52}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('e2589863-f3c5-42fd-b1f5-e13662ad0d0a','cf7006cb-6935-49b4-aa6a-e204825ee4f9',1,'5eb2788a-b292-4b44-8d68-12a96e3ec297','9f074ae3ee824959a7066d075a2f5ea5','complete','What is this?','This is a **realtime chat server** for assistants. A browser connects by Socket.IO, you write a message, and the answer arrives in small pieces while it is being made, as this one does right now.

What it takes care of:

| You care about | What happens here |
| --- | --- |
| a reload in mid-answer | the conversation and the text so far come back |
| a message sent twice | it is one turn, answered once |
| a stop button | the answer ends at once, and keeps what was said |
| a killed server | the answer is marked as interrupted, its text is kept |

To try it, press **stop** while I write, or reload this page now. The words you are reading come from a built-in demo; a real model is two settings away [1]:

```bash
CHAT_MODEL=gpt-5-mini
OPENAI_API_KEY=<your key>
```

Ask me *how to embed it* or *what is kept* for more.',1,1795283405775,1795283405778,1795283405782,NULL,1795283405782,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 3, "output_tokens": 163}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('8ba917eb-9c8f-4611-b49e-cdb1c5d21d78','7d9f0f2e-8a54-4a7e-9a1c-1f4f7f1c0002',0,'ac7544de-05a6-4c0c-a550-ac02635e68ba','9f074ae3ee824959a7066d075a2f5ea5','complete','grüße 🙂','This is a **realtime chat server** for assistants. A browser connects by Socket.IO, you write a message, and the answer arrives in small pieces while it is being made, as this one does right now.

What it takes care of:

| You care about | What happens here |
| --- | --- |
| a reload in mid-answer | the conversation and the text so far come back |
| a message sent twice | it is one turn, answered once |
| a stop button | the answer ends at once, and keeps what was said |
| a killed server | the answer is marked as interrupted, its text is kept |

To try it, press **stop** while I write, or reload this page now. The words you are reading come from a built-in demo; a real model is two settings away [1]:

```bash
CHAT_MODEL=gpt-5-mini
OPENAI_API_KEY=<your key>
```

Ask me *how to embed it* or *what is kept* for more.',1,1795283405818,1795283405822,1795283405824,NULL,1795283405825,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 2, "output_tokens": 163}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('99ecaf61-6884-4bea-b36a-b4c1dca43058','2d158ef7-11d4-4ee2-b203-04c073b098a1',0,'93927393-9e6b-4f40-880a-01e6b5aca3e6','9f074ae3ee824959a7066d075a2f5ea5','complete','What is stored?','Messages and answers are written to a **journal**, one SQLite file in the folder `DATA_DIR`, before they are acknowledged:

```bash
sqlite3 data/journal.sqlite3 "SELECT text, state, answer FROM turns"
```

Nothing is stored for a visitor who writes nothing, and no text or key is ever written to a log. The ids of a conversation are given out by the server and signed; a token opens only the conversation that it names [1].',1,1795283405851,1795283405860,1795283405863,NULL,1795283405864,'[{"n": 1, "filename": "docs/transcripts.md"}]','{"input_tokens": 3, "output_tokens": 72}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
INSERT INTO "turns" VALUES('3587426c-ebb7-47b4-bda7-4d16d9d3d106','11b0848e-6cd5-453b-a3f3-b4f46cad8b64',0,'8045523d-e02e-4cd2-bf03-7e9e8c8ce18e','9f074ae3ee824959a7066d075a2f5ea5','complete','more','This is a **realtime chat server** for assistants. A browser connects by Socket.IO, you write a message, and the answer arrives in small pieces while it is being made, as this one does right now.

What it takes care of:

| You care about | What happens here |
| --- | --- |
| a reload in mid-answer | the conversation and the text so far come back |
| a message sent twice | it is one turn, answered once |
| a stop button | the answer ends at once, and keeps what was said |
| a killed server | the answer is marked as interrupted, its text is kept |

To try it, press **stop** while I write, or reload this page now. The words you are reading come from a built-in demo; a real model is two settings away [1]:

```bash
CHAT_MODEL=gpt-5-mini
OPENAI_API_KEY=<your key>
```

Ask me *how to embed it* or *what is kept* for more.',1,1795283405877,1795283405881,1795283405886,NULL,1795283405887,'[{"n": 1, "filename": "README.md"}]','{"input_tokens": 1, "output_tokens": 163}','demo',NULL,0,NULL,NULL,NULL,NULL,'demo',NULL,NULL,'[]',NULL,NULL,NULL,NULL);
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
CREATE INDEX conversations_of_signed_in ON conversations (user_id, last_at, uuid) WHERE by_user_token = 1;
COMMIT;
