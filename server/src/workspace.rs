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

    /// Makes the directory; readable by this user alone. Making it twice is no error.
    pub async fn create(&self, agent: AgentId) -> io::Result<PathBuf> {
        let path = self.path(agent);
        let made = path.clone();
        tokio::task::spawn_blocking(move || {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&made)
        })
        .await
        .map_err(io::Error::other)??;
        Ok(path)
    }

    /// Removes the directory of an agent that is gone, if it left nothing in it.
    pub async fn remove_if_empty(&self, agent: AgentId) {
        // Not empty, or not there: both are fine.
        let _kept = tokio::fs::remove_dir(self.path(agent)).await;
    }
}
