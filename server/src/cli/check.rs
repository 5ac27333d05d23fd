//! `troupe check FILE`: what is wrong with a workflow file, one line each.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use domain::graph::{Drawing, Problem, Severity, ValidGraph, check::check as check_drawing};

/// Largest workflow file that is read, in bytes.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Exit status for a file that cannot run.
pub const BAD_FILE: u8 = 2;

/// Which file.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The workflow file; `-` reads standard input.
    pub file: PathBuf,
}

/// A workflow file that was read.
pub struct ReadFile {
    /// As it is drawn; `None` where it is no workflow at all.
    pub drawing: Option<Drawing>,
    /// As it can run.
    pub graph: Option<ValidGraph>,
    /// What is wrong, errors first.
    pub problems: Vec<Problem>,
}

/// Prints problems.
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let read = match read(&args.file) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("troupe: {error:#}");
            return Ok(ExitCode::from(BAD_FILE));
        }
    };
    for problem in &read.problems {
        println!("{}", line(problem));
    }
    match &read.graph {
        Some(graph) => {
            println!(
                "{}: can run, {} steps",
                args.file.display(),
                graph.nodes.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        None => Ok(ExitCode::from(BAD_FILE)),
    }
}

/// Reads and checks a file.
pub fn read(file: &std::path::Path) -> anyhow::Result<ReadFile> {
    use std::io::Read;

    use anyhow::Context;
    let mut text = String::new();
    let name = file.display();
    let mut source: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("{name} cannot be opened"))?)
    };
    let bytes = (&mut source)
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(
        bytes as u64 <= MAX_FILE,
        "{name} is larger than {} MiB",
        MAX_FILE / 1024 / 1024
    );
    Ok(match Drawing::parse(&text) {
        Err(problem) => ReadFile {
            drawing: None,
            graph: None,
            problems: vec![problem],
        },
        Ok((drawing, mut problems)) => {
            let (graph, more) = check_drawing(&drawing);
            problems.extend(more);
            problems.sort_by_key(|problem| problem.severity);
            let sound = problems
                .iter()
                .all(|problem| problem.severity != Severity::Error);
            ReadFile {
                drawing: Some(drawing),
                graph: graph.filter(|_| sound),
                problems,
            }
        }
    })
}

/// A problem as one line.
pub fn line(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = problem
        .node
        .as_deref()
        .or(problem.edge.as_deref())
        .map(|place| format!(" [{place}]"))
        .unwrap_or_default();
    format!("{severity} {}{place}: {}", problem.code, problem.message)
}
