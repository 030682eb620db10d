//! Output files appear whole or not at all: a temporary file beside the target, synced, then renamed.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Writes the file at `path` through `fill`. An existing file is replaced at the end, at once; its folder is made.
pub fn write(path: &Path, fill: impl FnOnce(&mut File) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let writing = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(writing)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut partial = builder.tempfile_in(folder).with_context(writing)?;
    fill(partial.as_file_mut()).with_context(writing)?;
    partial.as_file().sync_all().with_context(writing)?;
    partial.persist(path).with_context(writing)?;
    Ok(())
}

/// Writes `text` as the file at `path`.
pub fn write_text(path: &Path, text: &str) -> anyhow::Result<()> {
    write(path, |file| Ok(file.write_all(text.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_text(&path, "old").unwrap();
        let failed = write(&path, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("disk full")
        });
        assert_eq!(
            format!("{:#}", failed.unwrap_err()),
            format!("cannot write {}: disk full", path.display())
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
