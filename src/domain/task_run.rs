//! A run of a scheduled task, as it is remembered.

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// It is not over yet.
    Running,
    /// It did its work.
    Completed,
    /// It did not.
    Failed,
    /// Its instance stopped, died or lost the lock first.
    Interrupted,
}

/// A run of a scheduled task. Times are the database's, in unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRun {
    /// Row id, growing.
    pub id: i64,
    /// When it began.
    pub started_at: i64,
    /// When it was over.
    pub ended_at: Option<i64>,
    /// How long it took, as far as somebody saw its end.
    pub duration_ms: Option<i64>,
    /// How it stands.
    pub result: RunResult,
    /// How many things it changed, if it completed.
    pub changes: Option<i64>,
    /// Why it did not complete.
    pub error: Option<String>,
    /// Its trace.
    pub correlation_id: Option<String>,
    /// Who asked for it; nobody if it was due.
    pub requested_by: Option<String>,
}

impl RunResult {
    const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Interrupted];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The result that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}
