//! What goes, what stays, and that the file stays small.

use app::api::dto::{EventQuery, RunQuery};
use domain::{
    agent::{AgentEvent, AgentState},
    retention::{Keep, Retention},
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::store::{
    Start, StoreError,
    sqlite::{DATABASE_FILE, SqliteOptions},
    upkeep::{Candidate, Checkpoint, Reason, Upkeep},
};

const DAY: i64 = 86_400_000;

/// So many days before now, which is `NOON`.
fn days_ago(days: i64) -> Timestamp {
    Timestamp(NOON.0 - days * DAY)
}

/// A finished run with a task, an attempt, a start and three events.
async fn ended(store: &SqliteStore, log: &mut Log, id: RunId, at: Timestamp) {
    let row = RunRow {
        ended_at: Some(at),
        ..run_row(id, "succeeded", at)
    };
    put(store, log, row, at).await;
}

async fn put(store: &SqliteStore, log: &mut Log, row: RunRow, at: Timestamp) {
    let id = row.id;
    let mut batch = Batch {
        starts: vec![Start {
            key: format!("key of {id}"),
            run: id,
            seq: log.seq + 1,
            digest: "d".into(),
        }],
        ..Batch::default()
    };
    for number in 0..3 {
        let mut event = match number {
            0 => log.queued(id),
            _ => log.task(id, task("a"), Some(agent(1)), turn("said", None)),
        };
        event.at = at;
        batch.events.push(event);
    }
    batch.runs.push(changed(
        RunRow {
            last_seq: log.seq,
            last_run_seq: 3,
            ..row
        },
        vec![task_row("a", 0, "succeeded")],
        vec![attempt_row("a", 1, "succeeded")],
    ));
    store.append(&batch).await.expect("it fits");
}

async fn chosen(store: &SqliteStore, rules: &Retention, reason: Reason) -> Vec<RunId> {
    let found = store.candidates(rules, reason, NOON, None, 100).await;
    let found = found.expect("readable");
    found.iter().map(|candidate| candidate.run).collect()
}

/// Removes everything that is marked, in steps of so many rows.
async fn remove_all(store: &SqliteStore, rows: u32) -> u64 {
    let mut runs = 0;
    loop {
        let removed = store.remove(NOON, rows).await.expect("removed");
        assert!(removed.rows <= u64::from(rows) + 2, "{removed:?}");
        runs += removed.runs;
        if removed.rows == 0 {
            return runs;
        }
    }
}

async fn count(store: &SqliteStore, table: &'static str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&store.readers)
        .await
        .expect("readable")
}

#[tokio::test]
async fn a_run_goes_whole_and_its_numbers_are_never_given_again() {
    let store = store().await;
    let mut log = Log::default();
    ended(&store, &mut log, run(1), days_ago(40)).await;
    ended(&store, &mut log, run(2), days_ago(31)).await;
    let rules = Retention::default();
    let old = chosen(&store, &rules, Reason::Age).await;
    assert_eq!(old, [run(1), run(2)]);
    assert_eq!(store.removed_to().await.expect("readable"), 0);
    assert_eq!(store.mark(&old, NOON).await.expect("marked"), 2);

    // Marked, they are in no list and cannot be read, though all of their rows are there.
    assert_eq!(store.run_origin(run(1)).await.expect("readable"), None);
    assert!(
        store
            .run_events(run(1), 0, 99)
            .await
            .expect("readable")
            .is_empty()
    );
    let listed = store.runs(&RunQuery::default()).await.expect("readable");
    assert!(listed.items.is_empty());
    assert_eq!(count(&store, "events").await, 6);

    assert_eq!(remove_all(&store, 2).await, 2);
    for table in ["events", "tasks", "attempts", "starts", "runs"] {
        assert_eq!(count(&store, table).await, 0, "{table}");
    }
    assert_eq!(store.removed_to().await.expect("readable"), 6);
    assert_eq!(store.head().await.expect("readable"), 6);
    assert!(store.damage().await.expect("readable").is_empty());

    // The next number is the next one, also for a server that starts now.
    let gap = events(vec![Event {
        seq: 1,
        ..log.started("again")
    }]);
    assert!(matches!(
        store.append(&gap).await,
        Err(StoreError::Broken(_))
    ));
    log.seq = 6;
    let next = events(vec![log.started("again")]);
    store.append(&next).await.expect("7 follows 6");
}

#[tokio::test]
async fn what_lives_and_its_kin_stay() {
    let store = store().await;
    let mut log = Log::default();
    let old = days_ago(99);
    // 1 is alive; 2 is its child, 3 the child of that; 4 made 1, 5 came from 4; 6 is alone.
    let row = |id, parent: Option<u128>| RunRow {
        ended_at: Some(old),
        parent: parent.map(run),
        ..run_row(run(id), "failed", old)
    };
    for (id, parent) in [
        (4, None),
        (2, Some(1)),
        (3, Some(2)),
        (5, Some(4)),
        (6, None),
    ] {
        put(&store, &mut log, row(id, parent), old).await;
    }
    let alive = RunRow {
        parent: Some(run(4)),
        ..run_row(run(1), "paused", old)
    };
    put(&store, &mut log, alive, old).await;
    let rules = Retention::default();
    assert_eq!(chosen(&store, &rules, Reason::Age).await, [run(6)]);
    assert_eq!(chosen(&store, &rules, Reason::Size).await, [run(6)]);
    // Who asks for others gets none either: what lives, its child, its parent.
    let asked = [run(1), run(2), run(4)];
    assert_eq!(store.mark(&asked, NOON).await.expect("marked"), 0);
}

#[tokio::test]
async fn a_run_that_goes_on_loses_its_mark() {
    let store = store().await;
    let mut log = Log::default();
    ended(&store, &mut log, run(1), days_ago(40)).await;
    store.mark(&[run(1)], NOON).await.expect("marked");
    // Somebody took it up again in the moment before.
    let event = log.task(run(1), task("a"), None, TaskEvent::Started { attempt: 2 });
    let row = RunRow {
        last_seq: event.seq,
        ..run_row(run(1), "running", days_ago(40))
    };
    let batch = Batch {
        events: vec![event],
        runs: vec![changed(row, Vec::new(), Vec::new())],
        ..Batch::default()
    };
    store.append(&batch).await.expect("it goes on");
    assert_eq!(store.marked().await.expect("readable"), 0);
    assert_eq!(remove_all(&store, 99).await, 0);
    assert_eq!(
        store
            .run_events(run(1), 0, 99)
            .await
            .expect("readable")
            .len(),
        4
    );
}

#[tokio::test]
async fn a_mark_can_be_taken_back_until_the_removal_begins() {
    let store = store().await;
    let mut log = Log::default();
    for id in 1..4 {
        ended(&store, &mut log, run(id), days_ago(40)).await;
    }
    let all = [run(1), run(2), run(3)];
    assert_eq!(store.mark(&all, NOON).await.expect("marked"), 3);
    // Marked later than this: not yet.
    let early = store.remove(Timestamp(NOON.0 - 1), 99).await;
    assert_eq!(early.expect("nothing to do").rows, 0);
    let first = store.remove(NOON, 1).await.expect("removed");
    assert_eq!((first.rows, first.runs), (1, 0));
    assert_eq!(store.spare(1).await.expect("spared"), 1);
    assert_eq!(store.spare(99).await.expect("spared"), 1);
    assert_eq!(store.spare(99).await.expect("spared"), 0);
    // What has begun is carried through, whoever asks and when.
    assert_eq!(store.marked().await.expect("readable"), 1);
    assert_eq!(remove_all(&store, 99).await, 1);
    assert_eq!(
        store
            .runs(&RunQuery::default())
            .await
            .expect("readable")
            .items
            .len(),
        2
    );
}

#[tokio::test]
async fn rules_of_single_workflows_win() {
    let store = store().await;
    for number in [2, 3] {
        store
            .create_workflow(workflow(number), &drawing("more"), "test", NOON)
            .await
            .expect("it is new");
    }
    let mut log = Log::default();
    for (id, of, days) in [(1, 1, 40), (2, 2, 40), (3, 3, 40), (4, 3, 5), (5, 1, 5)] {
        let at = days_ago(days);
        let row = RunRow {
            workflow: workflow(of),
            ended_at: Some(at),
            ..run_row(run(id), "succeeded", at)
        };
        put(&store, &mut log, row, at).await;
    }
    let rules = Retention {
        workflows: [(workflow(2), Keep::Forever), (workflow(3), Keep::Days(3))].into(),
        ..Retention::default()
    };
    store.set_retention(&rules).await.expect("stored");
    assert_eq!(store.retention().await.expect("readable"), rules);
    assert_eq!(
        chosen(&store, &rules, Reason::Age).await,
        [run(1), run(3), run(4)]
    );
    // Too large, age does not matter; what is kept for ever is.
    assert_eq!(
        chosen(&store, &rules, Reason::Size).await,
        [run(1), run(3), run(4), run(5)]
    );
    // A list goes on behind what it brought, also within one moment.
    let after = |number, at| Candidate {
        run: run(number),
        ended_at: at,
        bytes: 0,
    };
    let rest = store
        .candidates(&rules, Reason::Age, NOON, Some(after(1, days_ago(40))), 1)
        .await
        .expect("readable");
    assert_eq!(rest[0].run, run(3));

    let nobody = Retention {
        keep: Keep::Forever,
        max_bytes: None,
        workflows: [(workflow(9), Keep::Days(1))].into(),
    };
    assert!(matches!(
        store.set_retention(&nobody).await,
        Err(StoreError::BadQuery(_))
    ));
    assert_eq!(
        store.retention().await.expect("readable"),
        rules,
        "all or nothing"
    );
}

#[tokio::test]
async fn old_events_of_no_run_go_with_the_agents_that_nothing_names() {
    let store = store().await;
    let mut log = Log::default();
    let old = days_ago(40);
    let mut told = |of: u128, event| {
        let mut event = log.event(Fact::Agent {
            agent: agent(of),
            event,
        });
        event.at = old;
        event
    };
    let gone = || AgentEvent::Terminated {
        reason: "done".into(),
    };
    let list = vec![
        told(1, gone()),
        told(2, gone()),
        told(3, AgentEvent::Idle { cost_usd: None }),
    ];
    let mut agents: Vec<Agent> = [1, 2, 3]
        .map(|number| spawned(agent(number), "somebody", old))
        .into();
    for one in &mut agents[..2] {
        one.state = AgentState::Terminated {
            reason: "done".into(),
        };
    }
    let batch = Batch {
        agents,
        ..events(list)
    };
    store.append(&batch).await.expect("it fits");
    // A run that stays names agent 1.
    ended(&store, &mut log, run(1), days_ago(1)).await;
    let mut young = log.started("now");
    young.at = NOON;
    store.append(&events(vec![young])).await.expect("it fits");

    let mut removed = 0;
    loop {
        let step = store.remove_old(days_ago(30), 1).await.expect("removed");
        removed += step.rows;
        if step.rows == 0 {
            break;
        }
    }
    assert_eq!(removed, 4, "three events and agent 2");
    let left = store.agents(true).await.expect("readable");
    let mut left: Vec<AgentId> = left.iter().map(|agent| agent.id).collect();
    left.sort_unstable();
    assert_eq!(left, [agent(1), agent(3)]);
    let kept = store
        .events(&EventQuery::default())
        .await
        .expect("readable");
    assert_eq!(
        kept.items.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [7, 6, 5, 4]
    );
}

#[tokio::test]
async fn nothing_else_can_be_deleted() {
    let store = store().await;
    let mut log = Log::default();
    ended(&store, &mut log, run(1), days_ago(40)).await;
    ended(&store, &mut log, run(2), days_ago(40)).await;
    store
        .append(&events(vec![log.started("1")]))
        .await
        .expect("it fits");
    store.mark(&[run(1)], NOON).await.expect("marked");
    let mut writer = store.writer.lock().await;
    for sql in [
        // Marked alone is not enough: it may still go on.
        "DELETE FROM events WHERE seq = 1",
        "DELETE FROM events WHERE seq = 4",
        "DELETE FROM events WHERE seq = 7",
        "UPDATE events SET data = '{}' WHERE seq = 1",
    ] {
        let refused = sqlx::query(sql).execute(writer.connection()).await;
        assert!(refused.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn what_workflows_and_tables_take_is_told() {
    let store = store().await;
    let mut log = Log::default();
    for id in 1..4 {
        ended(&store, &mut log, run(id), days_ago(1)).await;
    }
    let space = store.space().await.expect("measured");
    assert_eq!(space.workflows.len(), 1);
    assert_eq!(
        (space.workflows[0].runs, &*space.workflows[0].name),
        (3, "one")
    );
    let kept: i64 = sqlx::query_scalar("SELECT sum(octet_length(data) + 320) FROM events")
        .fetch_one(&store.readers)
        .await
        .expect("readable");
    assert_eq!(space.workflows[0].bytes, kept as u64);
    let events = space.tables.iter().find(|table| table.name == "events");
    assert!(events.is_some_and(|events| events.bytes > 0 && events.index_bytes > 0));
    let sizes = store.sizes().await.expect("measured");
    let tables: u64 = space
        .tables
        .iter()
        .map(|table| table.bytes + table.index_bytes)
        .sum();
    assert!(tables <= sizes.used(), "{tables} of {sizes:?}");
    assert!(sizes.gives_back && sizes.wal > 0);
}

/// An event with a long text.
fn long(log: &mut Log, id: RunId) -> Event {
    let text: String = "all work and no play ".repeat(3_000);
    log.task(id, task("a"), None, turn(&text, None))
}

#[tokio::test]
async fn what_is_free_is_given_back_to_the_disk() {
    let data = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(data.path()).await.expect("it opens");
    store
        .create_workflow(workflow(1), &drawing("one"), "test", NOON)
        .await
        .expect("it is new");
    let mut log = Log::default();
    ended(&store, &mut log, run(1), days_ago(40)).await;
    for _ in 0..40 {
        let event = long(&mut log, run(1));
        store.append(&events(vec![event])).await.expect("it fits");
    }
    store.checkpoint(Checkpoint::Truncate).await.expect("moved");
    let file = data.path().join(DATABASE_FILE);
    let before = std::fs::metadata(&file).expect("there").len();
    store.mark(&[run(1)], NOON).await.expect("marked");
    assert_eq!(remove_all(&store, 500).await, 1);
    let free = store.sizes().await.expect("measured");
    assert!(free.free > 500 * free.page, "{free:?}");
    store.shrink(64).await.expect("given back");
    let less = store.sizes().await.expect("measured");
    assert_eq!(less.free, free.free - 64 * free.page, "a bounded step");
    store.shrink(100_000).await.expect("given back");
    store.checkpoint(Checkpoint::Truncate).await.expect("moved");
    let after = std::fs::metadata(&file).expect("there").len();
    assert!(after < before / 4, "{before} became {after}");
    let sizes = store.sizes().await.expect("measured");
    assert_eq!((sizes.free, sizes.wal, sizes.file), (0, 0, after));
}

#[tokio::test]
async fn an_older_database_learns_to_give_back_and_what_its_runs_take() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join(DATABASE_FILE);
    // As the version before left it.
    let mut before = SqliteConnection::connect_with(
        &SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true),
    )
    .await
    .expect("made");
    let id = run(1);
    for sql in [
        include_str!("../../../../../migrations/0001_start.sql"),
        include_str!("../../../../../migrations/0002_kinds.sql"),
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
            checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)",
    ] {
        sqlx::raw_sql(sql).execute(&mut before).await.expect("made");
    }
    for migration in super::super::open::migrator()
        .iter()
        .filter(|migration| migration.version < 3)
    {
        sqlx::query("INSERT INTO _sqlx_migrations VALUES (?1, ?2, 'then', true, ?3, 1)")
            .bind(migration.version)
            .bind(&*migration.description)
            .bind(&*migration.checksum)
            .execute(&mut before)
            .await
            .expect("noted");
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "INSERT INTO workflows VALUES ('{w}', 'one', '', 'one', 1, 1, 1, 0, 0, NULL);
         INSERT INTO workflow_versions VALUES ('{w}', 1, 0, 'me', '{{}}');
         INSERT INTO runs (id, workflow_id, workflow_version, workflow_name, status, started_by, input,
            tasks, tasks_settled, created_at, ended_at, last_seq, last_run_seq)
         VALUES ('{id}', '{w}', 1, 'one', 'succeeded', 'me', '{{}}', 0, 0, 0, 1, 1, 1);
         INSERT INTO events (seq, event_type, run_id, run_seq, topic, severity, timestamp, data)
         VALUES (1, 'workflow.completed', '{id}', 1, 't', 'info', 0, '{{}}')",
        w = workflow(1)
    )))
    .execute(&mut before)
    .await
    .expect("filled");
    before.close().await.expect("closed");

    let store = SqliteStore::open(data.path()).await.expect("it opens");
    assert!(!store.sizes().await.expect("measured").gives_back);
    let space = store.space().await.expect("measured");
    assert_eq!(space.workflows[0].bytes, 2 + 320);
    store.modernise().await.expect("written anew");
    assert!(store.sizes().await.expect("measured").gives_back);
    assert!(store.damage().await.expect("readable").is_empty());
    assert_eq!(store.head().await.expect("readable"), 1);
    let mut log = Log {
        seq: 1,
        ..Log::default()
    };
    store
        .append(&events(vec![log.started("2")]))
        .await
        .expect("it goes on");
}

/// A reader is in the middle of something at every moment: by itself the log would never begin anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_stays_small_under_load() {
    const MOST: u64 = 64 << 20;
    let data = tempfile::tempdir().expect("a directory");
    let options = SqliteOptions {
        durable: false,
        ..SqliteOptions::at(data.path().join(DATABASE_FILE))
    };
    let store = SqliteStore::open_with(options).await.expect("it opens");
    store
        .create_workflow(workflow(1), &drawing("one"), "test", NOON)
        .await
        .expect("it is new");
    let mut log = Log::default();
    ended(&store, &mut log, run(1), NOON).await;
    let stop = CancellationToken::new();
    let (to_second, first_began) = mpsc::channel(1);
    let (to_first, second_began) = mpsc::channel(1);
    let readers = [(to_second, second_began), (to_first, first_began)].map(|(tell, told)| {
        tokio::spawn(read_in_turn(
            store.readers.clone(),
            tell,
            told,
            stop.clone(),
        ))
    });
    let (mut largest, mut written) = (0, 0);
    while written < 2 * MOST {
        let list: Vec<Event> = (0..32).map(|_| long(&mut log, run(1))).collect();
        written += list.len() as u64 * 63_000;
        store.append(&events(list)).await.expect("it fits");
        largest = largest.max(store.sizes().await.expect("measured").wal);
    }
    assert!(largest < MOST, "{largest}");
    stop.cancel();
    for reader in readers {
        assert!(reader.await.expect("no panic") > 10, "nobody was reading");
    }
    store.checkpoint(Checkpoint::Truncate).await.expect("moved");
    assert_eq!(store.sizes().await.expect("measured").wal, 0);
}

/// Reads, and ends only once the other has begun to read; how often.
async fn read_in_turn(
    readers: sqlx::SqlitePool,
    tell: mpsc::Sender<()>,
    mut told: mpsc::Receiver<()>,
    stop: CancellationToken,
) -> u32 {
    let mut reader = readers.acquire().await.expect("a reader");
    let mut times = 0;
    loop {
        begin_reading(&mut reader).await;
        times += 1;
        // The other may have stopped already.
        let _stopped = tell.try_send(());
        tokio::select! {
            () = stop.cancelled() => {}
            _ = told.recv() => {}
        }
        sqlx::query("COMMIT")
            .execute(&mut *reader)
            .await
            .expect("ended");
        if stop.is_cancelled() {
            return times;
        }
    }
}

async fn begin_reading(reader: &mut SqliteConnection) {
    for sql in ["BEGIN", "SELECT count(*) FROM runs"] {
        sqlx::query(sql).execute(&mut *reader).await.expect("begun");
    }
}

#[tokio::test]
async fn a_backup_is_another_database_wherever_it_is_put() {
    let store = store().await;
    let mut log = Log::default();
    ended(&store, &mut log, run(1), NOON).await;
    let place = tempfile::tempdir().expect("a directory");
    let copy = place.path().join("copy.db");
    store.backup(&copy).await.expect("copied");
    let mut epochs = vec![store.epoch().await.expect("it has one")];
    // Put in place twice: each time it is another one, and stays that.
    for name in ["once", "twice"] {
        let data = place.path().join(name);
        std::fs::create_dir(&data).expect("a directory");
        std::fs::copy(&copy, data.join(DATABASE_FILE)).expect("copied");
        let restored = SqliteStore::open(&data).await.expect("it opens");
        let epoch = restored.epoch().await.expect("it has one");
        assert!(!epochs.contains(&epoch), "{epoch}");
        assert_eq!(restored.head().await.expect("readable"), 3);
        assert!(restored.sizes().await.expect("measured").gives_back);
        restored.close().await.expect("closed");
        let again = SqliteStore::open(&data).await.expect("it opens");
        assert_eq!(again.epoch().await.expect("it has one"), epoch);
        epochs.push(epoch);
    }
}
