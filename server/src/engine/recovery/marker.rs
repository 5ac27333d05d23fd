//! A file that names the run which is being taken up again. Where it is found at a start, the server
//! did not live to see the end of that. No commit: it need not survive the machine, only the process.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use domain::id::RunId;

/// Its name in the data directory.
const FILE: &str = "recovering";

/// Says which run is being taken up again.
#[derive(Debug, Default)]
pub struct Marker {
    file: Option<PathBuf>,
    is_set: bool,
}

impl Marker {
    /// In this data directory. The default one says it to nobody.
    pub fn below(data: &Path) -> Self {
        Self {
            file: Some(data.join(FILE)),
            is_set: false,
        }
    }

    /// The run that the last start did not get past.
    pub fn left(&mut self) -> Option<RunId> {
        let text = std::fs::read_to_string(self.file.as_ref()?).ok()?;
        self.is_set = true;
        text.trim().parse().ok()
    }

    /// This run is next.
    pub fn at(&mut self, run: RunId) {
        if let Some(file) = &self.file {
            self.is_set = true;
            if let Err(error) = std::fs::write(file, run.to_string()) {
                tracing::warn!(%error, "a run that stops the server now would not be found out");
            }
        }
    }

    /// None is.
    pub fn clear(&mut self) {
        if let Some(file) = self.file.as_ref().filter(|_| self.is_set) {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(%error, "a run may be taken for one that stops the server");
                }
                Ok(()) | Err(_) => self.is_set = false,
            }
        }
    }
}
