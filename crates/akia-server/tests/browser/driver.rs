//! A real Chromium, through WebDriver. The few commands that the tests need are plain JSON over HTTP.
//!
//! Not a crate for it: `fantoccini` brings twenty second versions of what is in the tree, and a licence that `deny.toml` does not have.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::server::request;

const BROWSER: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";
/// Longest wait for something to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser; its end ends the processes.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _home: tempfile::TempDir,
}

impl Browser {
    /// Starts one. A machine without it fails the test: what nobody looked at is not fine.
    pub(crate) fn start() -> Self {
        for (program, package) in [(BROWSER, "chromium"), (DRIVER, "chromium-driver")] {
            assert!(
                Path::new(program).exists(),
                "there is no {program}: install it (`apt-get install {package}`, or `cargo xtask test --only packages` as root)"
            );
        }
        let home = tempfile::tempdir().unwrap();
        // A port that was free a moment ago; chromedriver has no better way to be given one.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new(DRIVER)
            .arg(format!("--port={port}"))
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until("chromedriver answers", || TcpStream::connect(address).is_ok());
        let mut browser = Self { driver, address, session: String::new(), _home: home };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": BROWSER,
                // Root has no sandbox for the browser, and a container little shared memory.
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb",
                         format!("--user-data-dir={}", browser._home.path().join("profile").display())],
            },
        } } });
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = request(self.address, method, path, &[("content-type", "application/json")], &body);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", told["value"]["message"]);
        told["value"].clone()
    }

    fn command(&self, method: &str, path: &str, body: Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), &body)
    }

    /// Opens an address, and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "/url", json!({ "url": url }));
    }

    /// Where it is: path and query.
    pub(crate) fn place(&self) -> String {
        self.run("return location.pathname + location.search").as_str().unwrap().to_owned()
    }

    /// The value of a script, run as the page's own.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The value that a script hands to its last argument.
    pub(crate) fn wait_for(&self, script: &str) -> Value {
        self.command("POST", "/execute/async", json!({ "script": script, "args": [] }))
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command("POST", "/element", json!({ "using": "css selector", "value": selector }));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks what a selector finds, where a person's pointer would.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("/element/{element}/click"), json!({}));
    }

    /// Types into what has the focus, key by key.
    pub(crate) fn keys(&self, text: &str) {
        let keys = text
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })));
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys.collect::<Vec<_>>() }] });
        self.command("POST", "/actions", actions);
    }

    /// Makes the page as wide and high as that, in its own points; also narrower than a window can be.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
        // They lie over the page on a phone.
        self.devtools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
    }

    /// What the system prefers.
    pub(crate) fn prefer(&self, feature: &str, value: &str) {
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [{ "name": feature, "value": value }] }));
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// What the console has got since the last time: errors, and what the page's policy has kept out.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", json!({ "type": "browser" }));
        log.as_array().unwrap().iter().map(|line| format!("{} {}", line["level"], line["message"])).collect()
    }

    /// A picture of the whole page, in the target folder.
    pub(crate) fn picture(&self, name: &str) {
        let shot = self.devtools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let bytes = BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap();
        fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser; a panic of its own would hide the test's.
            let path = format!("/session/{}", self.session);
            let _ = std::panic::catch_unwind(|| request(self.address, "DELETE", &path, &[], ""));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

/// Waits for something.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(30));
    }
}
