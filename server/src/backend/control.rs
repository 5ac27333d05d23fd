//! What people ask of runs that exist: stop, hold, go on, take an answer. The kernel decides about live
//! runs; those that ended are read from the log and asked the same rules.

use app::{
    api::dto::{Actor, GivenAnswer},
    error::{ApiError, ErrorKind},
};
use domain::{
    id::RunId,
    run::{decide::Control, input},
};

use super::{Product, broken, refused, rejected};
use crate::engine::kernel::Refusal;

/// Longest remark with an answer, in bytes.
const MAX_COMMENT: usize = 16 * 1024;

impl Product {
    /// Asks for a control; what is so already is fine.
    pub(super) async fn control(
        &self,
        actor: &Actor,
        id: RunId,
        control: Control,
    ) -> Result<(), ApiError> {
        let command = match control {
            Control::Cancel => input::Command::CancelRun(id),
            Control::Pause => input::Command::PauseRun(id),
            Control::Resume => input::Command::ResumeRun(id),
            Control::Retry => {
                let (run, ended) = (id, None);
                input::Command::RetryRun(Box::new(input::RetryRun { run, ended }))
            }
        };
        self.known(id).await?;
        match self.ask(actor, command, None).await? {
            Ok(_) => Ok(()),
            Err(refusal) if is_gone(&refusal) => {
                let live = self.replayed(id).await?;
                let state = &live.run.state;
                match state.allows(control) {
                    Ok(false) => Ok(()),
                    Ok(true) => Err(set_aside()),
                    Err(rejection) => Err(rejected(&rejection)),
                }
            }
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    /// Hands a person's answer to the task that waits for it.
    pub(super) async fn take_answer(
        &self,
        actor: &Actor,
        given: GivenAnswer,
    ) -> Result<(), ApiError> {
        let GivenAnswer {
            run,
            task,
            port,
            comment,
            data,
        } = given;
        if comment.len() > MAX_COMMENT {
            return Err(ApiError::new(
                ErrorKind::Invalid,
                "comment_too_long",
                "The comment is longer than 16 KiB: shorten it.",
            ));
        }
        self.known(run).await?;
        let command = input::Command::Answer(Box::new(input::GivenAnswer {
            run,
            task: task.clone(),
            port: port.clone(),
            comment,
            data,
        }));
        match self.ask(actor, command, None).await? {
            Ok(_) => Ok(()),
            Err(refusal) if is_gone(&refusal) => {
                let live = self.replayed(run).await?;
                match live.run.takes_answer(&task, &port) {
                    Ok(_) => Err(set_aside()),
                    Err(rejection) => Err(rejected(&rejection)),
                }
            }
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    /// Whether there ever was such a run.
    pub(super) async fn known(&self, id: RunId) -> Result<(), ApiError> {
        match self.store.run_origin(id).await.map_err(broken)? {
            Some(_) => Ok(()),
            None => Err(ApiError::not_found("run")),
        }
    }
}

/// Whether the kernel does not have the run.
pub(super) fn is_gone(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Rejected(rejection) => rejection.code() == "no_such_run",
        Refusal::KeyReused | Refusal::Closing => false,
    }
}

/// The log says that the run goes on, and the kernel does not have it: it was left out at the start.
pub(super) fn set_aside() -> ApiError {
    ApiError::new(
        ErrorKind::Conflict,
        "run_set_aside",
        "This run was left out when the server started, because it could not be read or stopped the server: the health of the server says why. It stays as it is; start it anew.",
    )
}
