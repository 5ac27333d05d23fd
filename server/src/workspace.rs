//! An agent's own directory. Made when the agent is spawned, owned by it alone; what one agent keeps
//! there, no other agent's tools can reach.
//!
//! Refused here: any path that is not made from an agent's id. Nothing from outside names a file.

use std::{
    io,
    path::{Path, PathBuf},
};

use domain::id::AgentId;

/// Where all workspaces stand.
#[derive(Debug, Clone)]
pub struct Workspaces {
    root: PathBuf,
}

impl Workspaces {
    /// Below this data directory.
    pub fn below(data: &Path) -> Self {
        Self {
            root: data.join("workspaces"),
        }
    }

    /// The directory of an agent, be it there or not.
    pub fn path(&self, agent: AgentId) -> PathBuf {
        self.root.join(agent.to_string())
    }

    /// Makes the directories, each readable by this user alone, and says how each went, in the same order.
    /// Making one twice is no error. One thread for all: a thread for each of a thousand costs more than
    /// what it does.
    pub async fn create(&self, agents: Vec<AgentId>) -> Vec<io::Result<()>> {
        let count = agents.len();
        let paths: Vec<PathBuf> = agents.into_iter().map(|agent| self.path(agent)).collect();
        let made = tokio::task::spawn_blocking(move || {
            use std::os::unix::fs::DirBuilderExt;
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            paths.iter().map(|path| builder.create(path)).collect()
        });
        made.await.unwrap_or_else(|crash| {
            let reason = crash.to_string();
            (0..count)
                .map(|_| Err(io::Error::other(reason.clone())))
                .collect()
        })
    }

    /// Removes the directories of agents that are gone, where they left nothing in them.
    pub async fn remove_if_empty(&self, agents: Vec<AgentId>) {
        let paths: Vec<PathBuf> = agents.into_iter().map(|agent| self.path(agent)).collect();
        let removed = tokio::task::spawn_blocking(move || {
            for path in paths {
                // Not empty, or not there: both are fine.
                let _kept = std::fs::remove_dir(path);
            }
        });
        if let Err(crash) = removed.await {
            tracing::warn!(%crash, "empty directories of agents are left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn what_is_empty_goes_and_what_is_not_stays() {
        let data = tempfile::tempdir().expect("a directory");
        let workspaces = Workspaces::below(data.path());
        let agents = [1, 2].map(|id| AgentId(Uuid::from_u128(id)));
        for _ in 0..2 {
            let made = workspaces.create(agents.to_vec()).await;
            assert!(
                made.iter().all(Result::is_ok) && made.len() == 2,
                "{made:?}"
            );
        }
        std::fs::write(workspaces.path(agents[1]).join("note"), "kept").expect("written");
        workspaces.remove_if_empty(agents.to_vec()).await;
        assert_eq!(agents.map(|id| workspaces.path(id).exists()), [false, true]);
    }

    #[tokio::test]
    async fn one_that_cannot_be_made_is_no_trouble_of_the_others() {
        let data = tempfile::tempdir().expect("a directory");
        let workspaces = Workspaces::below(data.path());
        let agents = [1, 2].map(|id| AgentId(Uuid::from_u128(id)));
        std::fs::create_dir(data.path().join("workspaces")).expect("made");
        std::fs::write(workspaces.path(agents[0]), "in the way").expect("written");
        let made = workspaces.create(agents.to_vec()).await;
        let made: Vec<bool> = made.iter().map(Result::is_ok).collect();
        assert_eq!(made, [false, true]);
    }
}
