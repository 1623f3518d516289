//! Input that bites: names and answers with terminal escapes, direction controls and spreadsheet formulas; endpoints
//! that answer without end, slowly, or send elsewhere; endpoints that somebody has planted.

mod endpoint;
mod hostile;
mod text;
