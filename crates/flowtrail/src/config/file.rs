//! The configuration file: where it is found, and how it is read.

use std::path::{Path, PathBuf};

use super::{ConfigError, Settings};

pub(super) fn default_data_dir() -> Result<PathBuf, ConfigError> {
    directories::ProjectDirs::from("", "", "flowtrail")
        .map(|folders| folders.data_dir().to_path_buf())
        .ok_or(ConfigError::NoDataDir)
}

/// The file that was named, or the one that is found; nothing when there is none.
pub(super) fn read_file(named: Option<&Path>, data_dir: Option<&Path>) -> Result<Settings, ConfigError> {
    let found = match named {
        Some(path) => Some(path.to_path_buf()),
        None => {
            let data_dir = data_dir.map(Path::to_path_buf).or_else(|| default_data_dir().ok());
            [Some(PathBuf::from(".")), data_dir]
                .into_iter()
                .flatten()
                .map(|folder| folder.join("flowtrail.toml"))
                .find(|path| path.is_file())
        }
    };
    let Some(path) = found else { return Ok(Settings::default()) };
    let text =
        std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
    read_settings(&text).map_err(|reason| ConfigError::File { path, reason })
}

/// Reads a file's text. What is wrong is told by line and key, and never by value, which may be a secret.
fn read_settings(text: &str) -> Result<Settings, String> {
    let line_of = |error: &toml::de::Error| {
        error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1))
    };
    let parsed = toml::Deserializer::parse(text)
        .map_err(|error| format!("line {}: {}", line_of(&error), error.message()))?;
    serde_path_to_error::deserialize(parsed).map_err(|error| {
        let key = error.path().to_string();
        let error = error.into_inner();
        let line = line_of(&error);
        // `invalid type: integer `5`, expected a string`: the value is left out.
        match error.message().split_once("expected ") {
            Some((_, expected)) if error.message().starts_with("invalid ") => {
                format!("line {line}: {key}: expected {expected}")
            }
            _ if key == "." || error.message().contains("unknown field") => {
                format!("line {line}: {}", error.message())
            }
            _ => format!("line {line}: {key}: {}", error.message()),
        }
    })
}
