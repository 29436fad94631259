//! Gathers what browsers load, for `web::assets` to embed: third-party code that npm installs by the lock file, our own
//! styles, scripts and pictures (`assets/`, and `src/<slice>/*.css` and `*.js`), and a sprite of exactly the icons in use.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

type Outcome<T> = Result<T, String>;

/// Third-party scripts: the name under which pages load them, and the file in its package.
const SCRIPTS: [(&str, &str); 2] =
    [("htmx.js", "htmx.org/dist/htmx.min.js"), ("sse.js", "htmx-ext-sse/dist/sse.min.js")];

/// How templates and sources name an icon; the build fails on one that the set does not have.
const ICON_CALLS: [&str; 3] = ["icon(\"", "icon: \"", "icon=\""];

fn main() -> ExitCode {
    match gather() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn gather() -> Outcome<()> {
    for path in ["migrations", "locales", "assets", "src", "package.json", "package-lock.json", "build.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=TRUNKLINE_ASSETS_DIR");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo gives OUT_DIR")?);
    let packages = match env::var_os("TRUNKLINE_ASSETS_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => install(&out.join("browser"))?,
    };

    let sources = files(Path::new("src"))?;
    let mut assets: Vec<(String, PathBuf)> = Vec::new();
    for (name, file) in SCRIPTS {
        assets.push((name.to_owned(), packages.join(file)));
    }
    for file in files(Path::new("assets/js"))?.into_iter().chain(files(Path::new("assets/img"))?) {
        assets.push((name_of(&file)?, file));
    }
    for file in sources.iter().filter(|file| has_extension(file, "js")) {
        assets.push((name_of(file)?, file.clone()));
    }
    assets.push(("app.css".to_owned(), write(&out, "app.css", &styles(&sources)?)?));
    assets.push(("icons.svg".to_owned(), write(&out, "icons.svg", &sprite(&packages, &sources)?)?));

    let mut code = String::from(
        "/// Name and bytes of everything a browser may load.\npub(super) static FILES: &[(&str, &[u8])] = &[\n",
    );
    let mut entries: Vec<(String, String)> = Vec::new();
    for (name, file) in assets {
        let file = file.canonicalize().map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        entries.push((name, format!("include_bytes!({file:?})")));
    }
    // The renderer of messages brings its own sheet and script.
    for (name, constant) in [("line-view.css", "CSS"), ("line-view.js", "JS")] {
        entries.push((name.to_owned(), format!("line_view::{constant}.as_bytes()")));
    }
    entries.sort();
    for (name, bytes) in entries {
        let _ = writeln!(code, "    ({name:?}, {bytes}),");
    }
    code.push_str("];\n");
    write(&out, "assets.rs", &code).map(|_| ())
}

/// Runs `npm ci` in `folder`, unless it has run there for the same lock file; gives the folder of the packages.
fn install(folder: &Path) -> Outcome<PathBuf> {
    let packages = folder.join("node_modules");
    let stamp = folder.join("installed-lock.json");
    let lock = read(Path::new("package-lock.json"))?;
    if packages.is_dir() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(packages);
    }
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    write(folder, "package.json", &read(Path::new("package.json"))?)?;
    write(folder, "package-lock.json", &lock)?;
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let run = Command::new(program)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder)
        .output();
    match run {
        Ok(output) if output.status.success() => write(folder, "installed-lock.json", &lock).map(|_| packages),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " | ");
            Err(format!("npm could not install the browser's files: {said}"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err("npm is missing: install Node.js 20 or newer, which \
            brings npm, or set TRUNKLINE_ASSETS_DIR to a node_modules folder made from crates/hub/package-lock.json"
            .to_owned()),
        Err(error) => Err(format!("npm does not run: {error}")),
    }
}

/// All styles as one sheet: the shared ones in the order of their names, then each slice's in the layer `slices`.
fn styles(sources: &[PathBuf]) -> Outcome<String> {
    let mut sheet = String::new();
    for file in files(Path::new("assets/css"))? {
        sheet.push_str(&read(&file)?);
    }
    for file in sources.iter().filter(|file| has_extension(file, "css")) {
        let _ = write!(sheet, "@layer slices {{\n{}}}\n", read(file)?);
    }
    Ok(sheet)
}

/// The icons that templates and sources name, each as a `<symbol>`.
fn sprite(packages: &Path, sources: &[PathBuf]) -> Outcome<String> {
    let mut names = BTreeSet::new();
    for file in sources.iter().filter(|file| has_extension(file, "html") || has_extension(file, "rs")) {
        let text = read(file)?;
        for call in ICON_CALLS {
            for rest in text.split(call).skip(1) {
                let name: String = rest.chars().take_while(|c| *c != '"').collect();
                if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    names.insert(name);
                }
            }
        }
    }
    let mut sprite = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\">");
    for name in names {
        let file = packages.join("lucide-static/icons").join(format!("{name}.svg"));
        let text = read(&file).map_err(|_| format!("the icon set has no icon {name:?}"))?;
        let drawing = text.split_once("<svg").and_then(|(_, rest)| rest.split_once('>'));
        let drawing = drawing.and_then(|(_, rest)| rest.split_once("</svg>")).map(|(inner, _)| inner);
        let drawing = drawing.ok_or_else(|| format!("the icon {name:?} is not an SVG"))?;
        let drawing = drawing.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(sprite, "<symbol id=\"{name}\" viewBox=\"0 0 24 24\">{drawing}</symbol>");
    }
    sprite.push_str("</svg>");
    Ok(sprite)
}

/// All files below a folder, in the order of their names; none when it does not exist.
fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry.map_err(|error| format!("cannot list {}: {error}", folder.display()))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension() == Some(OsStr::new(extension))
}

fn name_of(file: &Path) -> Outcome<String> {
    let name = file.file_name().and_then(OsStr::to_str);
    name.map(str::to_owned).ok_or_else(|| format!("{} has no plain name", file.display()))
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// Writes a file, leaving it untouched when it holds just that, so that nothing is compiled again for nothing.
fn write(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let file = folder.join(name);
    if fs::read_to_string(&file).is_ok_and(|held| held == text) {
        return Ok(file);
    }
    fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    Ok(file)
}
