//! Why the mirror does not work, in sentences for people. Refused here: what Redis itself says in
//! free text. It repeats the commands that it did not understand, and one of them holds the password.

use redis::{ErrorKind, RedisError};

use super::{LogError, Server};

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody listens there.
    #[error("refuses connections")]
    Refused,
    /// There is no way to it: no such name, no route, no TLS.
    #[error("cannot be reached")]
    Unreachable,
    /// Neither a connection nor an answer in time.
    #[error("does not answer")]
    Silent,
    /// Its answers come, but late.
    #[error("answers slowly")]
    Slow,
    /// The connection ended.
    #[error("closed the connection")]
    Lost,
    /// The name or the password is wrong.
    #[error("refuses the password")]
    Password,
    /// It wants a password.
    #[error("asks for a password")]
    NoPassword,
    /// A replica takes no writes.
    #[error("is a read-only replica")]
    ReadOnly,
    /// Its limit of memory is reached.
    #[error("is out of memory")]
    OutOfMemory,
    /// It reads its data after a start.
    #[error("is still loading its data")]
    Loading,
    /// It cannot write to its own disk and therefore takes no writes.
    #[error("cannot save to its disk")]
    Disk,
    /// This user may not do what the mirror does.
    #[error("does not permit this user to publish")]
    NotPermitted,
    /// The key of the stream holds something else.
    #[error("holds something else where the stream of events belongs")]
    WrongType,
    /// The stream belongs to another database.
    #[error("holds the events of another database")]
    Foreign,
    /// Another refusal, by its code.
    #[error("answers with the error {0}")]
    Other(String),
    /// The fault is ours: events that must be sent again cannot be read.
    #[error("waits for events that cannot be read from the log: {0}")]
    Log(String),
}

impl Fault {
    /// What happened, what it means, what to do.
    pub(super) fn told(&self, server: &Server) -> String {
        let at = server.at();
        let remedy = match self {
            Fault::Refused => "Start it, or correct REDIS_URL.",
            Fault::Unreachable => {
                "Check the address in REDIS_URL, the network and, with rediss://, the certificate."
            }
            Fault::Silent => "It may hang, be overloaded, or be cut off by the network.",
            Fault::Slow => "It or the network may be overloaded.",
            Fault::Lost => "It may have been stopped or restarted.",
            Fault::Password | Fault::NoPassword => {
                "Put the right user and password into REDIS_URL."
            }
            Fault::ReadOnly => "Point REDIS_URL to the primary server, or promote this one.",
            Fault::OutOfMemory => {
                "Raise its maxmemory, or lower TROUPE_REDIS_MAXLEN and trim the stream."
            }
            Fault::Loading => "This passes by itself.",
            Fault::Disk => "Free its disk, or look into its log.",
            Fault::NotPermitted => {
                "The user needs EVALSHA, SCRIPT LOAD, EXISTS, XINFO, XRANGE, XADD, SETRANGE and PUBLISH on keys and channels of the prefix."
            }
            Fault::WrongType | Fault::Foreign => {
                "Give this server a TROUPE_REDIS_PREFIX of its own, or delete that stream if it is no longer needed."
            }
            Fault::Other(_) => "Look into its log.",
            Fault::Log(_) => "The database must be readable again first.",
        };
        let place = match self {
            Fault::WrongType | Fault::Foreign => format!(" ({})", server.stream()),
            Fault::Refused
            | Fault::Unreachable
            | Fault::Silent
            | Fault::Slow
            | Fault::Lost
            | Fault::Password
            | Fault::NoPassword
            | Fault::ReadOnly
            | Fault::OutOfMemory
            | Fault::Loading
            | Fault::Disk
            | Fault::NotPermitted
            | Fault::Other(_)
            | Fault::Log(_) => String::new(),
        };
        format!(
            "Redis at {at} {self}{place}. Runs and pages go on; other programs get their events, in order, once this is over. {remedy}"
        )
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Fault::Silent;
        }
        if error.is_connection_refusal() {
            return Fault::Refused;
        }
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Fault::Password;
        }
        match error.code() {
            Some("WRONGPASS") => Fault::Password,
            Some("NOAUTH") => Fault::NoPassword,
            Some("READONLY") => Fault::ReadOnly,
            Some("OOM") => Fault::OutOfMemory,
            Some("LOADING") => Fault::Loading,
            Some("MISCONF") => Fault::Disk,
            Some("NOPERM") => Fault::NotPermitted,
            Some("WRONGTYPE") => Fault::WrongType,
            Some(code) => Fault::Other(code.chars().take(32).collect()),
            None if error.is_connection_dropped() => Fault::Lost,
            None if error.is_io_error() => Fault::Unreachable,
            None => Fault::Other(error.category().to_owned()),
        }
    }
}

impl From<LogError> for Fault {
    fn from(error: LogError) -> Self {
        Fault::Log(error.to_string())
    }
}
