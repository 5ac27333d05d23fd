//! One connection to Redis, and the few things that are said over it. Every wait has an end.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, ErrorKind, RedisError, ServerErrorKind, aio::MultiplexedConnection,
};

use super::{Server, fault::Fault, outbox::Item};

/// How long Redis may take for a connection and for each reply. With a second between two heartbeats,
/// whatever is wrong is told within three.
const PATIENCE: Duration = Duration::from_millis(1_250);

const SCRIPT: &str = include_str!("publish.lua");

/// No stream ends with this.
const NOWHERE: &str = "-";

/// An open connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    server: Server,
    /// How the script is called.
    digest: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// All of it arrived.
    Done,
    /// The stream does not end where it should: nothing was done.
    Moved,
}

/// The end of the stream.
#[derive(Debug)]
pub(super) struct Tail {
    /// The last event that came into it.
    pub seq: u64,
    /// Its frame, if it is still there.
    pub json: Option<String>,
}

impl Link {
    /// Connects and logs in.
    pub(super) async fn open(server: &Server) -> Result<Self, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = server
            .client()
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut link = Self {
            connection,
            server: server.clone(),
            digest: String::new(),
        };
        link.load().await?;
        Ok(link)
    }

    /// Where the stream ends; `None` when there is none.
    pub(super) async fn tail(&mut self) -> Result<Option<Tail>, Fault> {
        let (_, id) = self.call(NOWHERE, 0, &[]).await?;
        let seq = match id.split_once('-') {
            Some(("0", "0")) => return Ok(None),
            // Our ids are the numbers of events, and nothing else.
            Some((seq, "0")) => seq.parse().map_err(|_| Fault::Foreign)?,
            Some(_) | None => return Err(Fault::Foreign),
        };
        let entries: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
            .arg(self.server.stream())
            .arg(&id)
            .arg(&id)
            .query_async(&mut self.connection)
            .await?;
        let json = match entries.into_iter().next() {
            None => None,
            Some((_, fields)) => match <[String; 2]>::try_from(fields) {
                Ok([name, json]) if name == "event" => Some(json),
                Ok(_) | Err(_) => return Err(Fault::Foreign),
            },
        };
        Ok(Some(Tail { seq, json }))
    }

    /// Publishes a batch behind event `tail` (0: there is no stream yet). Channels hear no event up
    /// to `heard` again. Without items it only asks whether a batch would be taken.
    pub(super) async fn push(
        &mut self,
        tail: u64,
        heard: u64,
        items: &[Item],
    ) -> Result<Pushed, Fault> {
        let (done, _) = self.call(&format!("{tail}-0"), heard, items).await?;
        Ok(if done == 1 {
            Pushed::Done
        } else {
            Pushed::Moved
        })
    }

    async fn call(
        &mut self,
        tail: &str,
        heard: u64,
        items: &[Item],
    ) -> Result<(u8, String), Fault> {
        match self.call_loaded(tail, heard, items).await {
            // Somebody emptied Redis' list of scripts.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.load().await?;
                Ok(self.call_loaded(tail, heard, items).await?)
            }
            replied => Ok(replied?),
        }
    }

    async fn call_loaded(
        &mut self,
        tail: &str,
        heard: u64,
        items: &[Item],
    ) -> Result<(u8, String), RedisError> {
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(&self.digest)
            .arg(2)
            .arg(self.server.stream())
            .arg(self.server.probe())
            .arg(tail)
            .arg(self.server.max_len())
            .arg(self.server.prefix())
            .arg(heard);
        for item in items {
            command.arg(item.seq).arg(&item.topic).arg(&item.json[..]);
        }
        command.query_async(&mut self.connection).await
    }

    async fn load(&mut self) -> Result<(), RedisError> {
        self.digest = redis::cmd("SCRIPT")
            .arg("LOAD")
            .arg(SCRIPT)
            .query_async(&mut self.connection)
            .await?;
        Ok(())
    }
}
