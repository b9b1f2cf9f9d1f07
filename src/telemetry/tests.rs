//! What holds for the log path as a whole.
