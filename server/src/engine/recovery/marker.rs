//! A file that names the run which is being taken up again. Where it is found at a start, the server
//! did not live to see the end of that. No commit: it need not survive the machine, only the process.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use domain::id::RunId;

/// Its name in the data directory.
const FILE: &str = "recovering";

/// Says which run is being taken up again.
#[derive(Debug, Default)]
pub struct Marker {
    file: Option<PathBuf>,
    /// Stays open from run to run: a file that is cut to nothing and written anew goes to the disk each time.
    open: Option<File>,
    is_set: bool,
}

impl Marker {
    /// In this data directory. The default one says it to nobody.
    pub fn below(data: &Path) -> Self {
        Self {
            file: Some(data.join(FILE)),
            open: None,
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
        if let Err(error) = self.write(run) {
            tracing::warn!(%error, "a run that stops the server now would not be found out");
        }
    }

    fn write(&mut self, run: RunId) -> io::Result<()> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        self.is_set = true;
        let file = match self.open.take() {
            Some(file) => file,
            None => File::create(path)?,
        };
        // Every id is as long as the one before it.
        file.write_all_at(run.to_string().as_bytes(), 0)?;
        self.open = Some(file);
        Ok(())
    }

    /// None is.
    pub fn clear(&mut self) {
        self.open = None;
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
