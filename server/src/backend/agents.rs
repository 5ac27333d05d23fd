//! Verbs about agents.

use app::{
    api::dto::{Actor, AgentDetail, EventQuery},
    error::{ApiError, ErrorKind},
};
use domain::{agent::AgentSpec, id::AgentId, run::input::Command};
use uuid::Uuid;

use super::{Product, broken};

/// Longest name and longest word, in characters.
const MAX_WORD: usize = 64;
/// Longest instructions, in bytes.
const MAX_INSTRUCTIONS: usize = 64 * 1024;
/// Most capabilities or tools.
const MAX_WORDS: usize = 50;
/// Most tasks at a time.
const MAX_TASKS: u32 = 100;

impl Product {
    pub(super) async fn read_agent(&self, id: AgentId) -> Result<AgentDetail, ApiError> {
        let agent = self
            .store
            .agent(id)
            .await
            .map_err(broken)?
            .ok_or_else(|| ApiError::not_found("agent"))?;
        let query = EventQuery {
            agent: Some(id),
            limit: Some(200),
            ..EventQuery::default()
        };
        let events = self.store.events(&query).await.map_err(broken)?.items;
        Ok(AgentDetail {
            agent,
            workspace_path: self.workspaces.path(id).display().to_string(),
            events,
        })
    }

    pub(super) async fn make_agent(
        &self,
        actor: &Actor,
        spec: AgentSpec,
    ) -> Result<AgentId, ApiError> {
        let spec = self.tidy_spec(spec)?;
        let agent = AgentId(Uuid::now_v7());
        self.command(actor, Command::SpawnAgent { agent, spec }, None)
            .await?;
        Ok(agent)
    }

    pub(super) async fn move_agent(
        &self,
        actor: &Actor,
        id: AgentId,
        command: Command,
    ) -> Result<(), ApiError> {
        if self.store.agent(id).await.map_err(broken)?.is_none() {
            return Err(ApiError::not_found("agent"));
        }
        self.command(actor, command, None).await.map(|_| ())
    }

    fn tidy_spec(&self, spec: AgentSpec) -> Result<AgentSpec, ApiError> {
        let invalid = |message: String| ApiError::new(ErrorKind::Invalid, "bad_agent", message);
        let name = spec.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_WORD || name.chars().any(char::is_control)
        {
            return Err(invalid(format!(
                "An agent needs a name of 1 to {MAX_WORD} characters."
            )));
        }
        if spec.instructions.len() > MAX_INSTRUCTIONS {
            return Err(invalid(
                "The instructions are longer than 64 KiB: shorten them.".to_owned(),
            ));
        }
        if spec.max_tasks > MAX_TASKS {
            return Err(invalid(format!(
                "An agent does at most {MAX_TASKS} tasks at a time."
            )));
        }
        let capabilities = words("capabilities", spec.capabilities).map_err(invalid)?;
        let tools = words("tools", spec.tools).map_err(invalid)?;
        let model = spec
            .model
            .map(|model| model.trim().to_owned())
            .filter(|model| !model.is_empty());
        let models = words("fallback models", spec.models).map_err(invalid)?;
        for model in model.iter().chain(&models) {
            self.providers
                .resolve(model)
                .map_err(|error| invalid(error.to_string()))?;
        }
        Ok(AgentSpec {
            name,
            capabilities,
            model,
            models,
            provider: spec.provider,
            instructions: spec.instructions,
            tools,
            max_tasks: spec.max_tasks,
            memory: spec.memory,
        })
    }
}

fn words(what: &str, raw: Vec<String>) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = raw
        .iter()
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    words.dedup();
    let bad = |word: &String| word.chars().count() > MAX_WORD || word.chars().any(char::is_control);
    if words.len() > MAX_WORDS || words.iter().any(bad) {
        return Err(format!(
            "At most {MAX_WORDS} {what}, each of at most {MAX_WORD} characters."
        ));
    }
    Ok(words)
}
