//! Server functions: what the browser may ask for. Each parses, calls one verb of the backend and
//! maps the error; nothing else. All answer POST alone, so none can be triggered by a link.

pub mod agents;
pub mod dto;
pub mod events;
pub mod money;
pub mod overview;
pub mod providers;
pub mod runs;
pub mod storage;
pub mod workflows;

pub use self::{
    agents::{
        agent, agent_messages, agents, find_agents, pause_agent, resume_agent, send_message,
        spawn_agent, terminate_agent,
    },
    events::events,
    money::{budget_of, set_budget, set_run_budget, usage_overview},
    overview::{overview, providers, status},
    providers::{
        check_provider, find_servers, models, provider_quota, remove_provider, save_provider,
    },
    runs::{
        answer_task, cancel_run, pause_run, resume_run, retry_run, run, run_node, runs, start_run,
        written,
    },
    storage::{clean_up, set_retention, stop_clean_up, storage},
    workflows::{
        create_workflow, delete_workflow, duplicate_workflow, import_workflow, restore_workflow,
        save_workflow, versions, workflow, workflows,
    },
};

/// The status line that belongs to an error, for the page and for the answer alike. The error itself
/// goes on as it is.
#[cfg(feature = "ssr")]
pub(crate) fn answer<T>(
    result: Result<T, crate::error::ApiError>,
) -> Result<T, crate::error::ApiError> {
    if let Err(error) = &result
        && let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = http::StatusCode::from_u16(error.status())
    {
        response.set_status(status);
    }
    result
}

/// What an address that is no id answers: there is no such thing, with the status that says so.
pub(crate) fn missing<T>(what: &str) -> Result<T, crate::error::ApiError> {
    let refusal = Err(crate::error::ApiError::not_found(what));
    #[cfg(feature = "ssr")]
    let refusal = answer(refusal);
    refusal
}
