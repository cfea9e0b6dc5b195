//! A server that takes part: what is started, and under which name it is spoken of.

use std::path::PathBuf;

/// A server that takes part. Two that differ in nothing share one process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrant {
    /// The name in tables.
    pub name: String,
    /// What is started.
    pub program: Program,
    /// Whether its threads stay on the one CPU for servers; else its words say where they go.
    pub is_pinned: bool,
    /// How many connections beside the load's are opened and left alone.
    pub idle_connections: usize,
}

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// This binary with these words. It is given `--listen` too.
    Ringyard(Vec<String>),
    /// A script that starts someone else's proxy on one CPU; it is given the address to listen on and the backend's.
    /// It ends with status [`NOT_INSTALLED`] where there is nothing to start.
    Script(PathBuf),
}

/// With this status a script says that what it would start is not there.
pub const NOT_INSTALLED: i32 = 69;

/// Where the backend's address stands among an entrant's words.
pub const BACKEND: &str = "{backend}";

impl Entrant {
    /// This binary with `words`, split at spaces.
    #[must_use]
    pub fn ringyard(name: &str, words: &str) -> Self {
        let words = words.split_whitespace().map(str::to_owned).collect();
        let program = Program::Ringyard(words);
        Self { name: name.to_owned(), program, is_pinned: true, idle_connections: 0 }
    }

    /// The same with more words, under another name.
    #[must_use]
    pub fn with(&self, name: &str, words: &str) -> Self {
        let mut more = Self::ringyard(name, words);
        if let (Program::Ringyard(own), Program::Ringyard(added)) =
            (&self.program, &mut more.program)
        {
            *added = [own.as_slice(), added.as_slice()].concat();
        }
        more
    }

    /// The same in a process of its own, under another name.
    #[must_use]
    pub fn twin(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_at_the_end() {
        let ring = Entrant::ringyard("ring", "classifier --engine ring");
        let two = ring.with("ring, 2 cores", "--cores 0,1");
        let expected = Entrant::ringyard("ring, 2 cores", "classifier --engine ring --cores 0,1");
        assert_eq!(two, expected);
        assert_ne!(ring.twin("control"), ring);
        assert_eq!(ring.twin("control").program, ring.program);
    }
}
