//! Events as Security Lake writes them, in Parquet.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::json::ReaderBuilder;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, GzipLevel, ZstdLevel};
use datafusion::parquet::file::properties::{WriterProperties, WriterVersion};
use serde_json::{Map, Value, json};

use crate::support::files_beneath;

/// Which version of a source of Security Lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// OCSF 1.0.0-rc.2, compressed with gzip.
    One,
    /// OCSF 1.1.0, compressed with zstd.
    Two,
}

impl Source {
    /// Its folder.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::One => "1.0",
            Self::Two => "2.0",
        }
    }

    fn schema(self) -> SchemaRef {
        let texts = |names: &[&str]| names.iter().map(|name| text(name)).collect::<Vec<_>>();
        let user = match self {
            Self::One => texts(&["type", "name", "uid", "uuid", "account_uid", "credential_uid"]),
            Self::Two => {
                let mut user = texts(&["type", "name", "uid_alt", "uid", "credential_uid"]);
                user.push(structure("account", texts(&["uid"])));
                user
            }
        };
        let (request, response): (&[&str], &[&str]) = match self {
            Self::One => (&["uid"], &["error", "message"]),
            Self::Two => (&["data", "uid"], &["error", "message", "data"]),
        };
        let mut resource = vec![structure("account", texts(&["uid"])), structure("owner", texts(&["uid"]))];
        resource.extend(texts(&["uid", "type"]));
        let entries = structure("key_value", vec![Field::new("key", DataType::Utf8, false), text("value")]);
        let mut fields = vec![
            structure(
                "metadata",
                vec![
                    structure("product", texts(&["version", "name"])),
                    text("uid"),
                    text("event_code"),
                    text("version"),
                ],
            ),
            Field::new("time", DataType::Int64, true),
            structure("cloud", texts(&["region", "provider"])),
            structure(
                "api",
                vec![
                    structure("response", texts(response)),
                    text("operation"),
                    structure("service", texts(&["name"])),
                    structure("request", texts(request)),
                ],
            ),
            structure("actor", vec![structure("user", user), structure("session", texts(&["issuer"]))]),
            structure("http_request", texts(&["user_agent"])),
            structure("src_endpoint", texts(&["uid", "ip", "domain"])),
            Field::new("resources", DataType::List(Arc::new(structure("element", resource))), true),
            Field::new("class_uid", DataType::Int32, true),
            Field::new("unmapped", DataType::Map(Arc::new(entries.with_nullable(false)), false), true),
        ];
        if self == Self::Two {
            fields.push(Field::new("time_dt", DataType::Timestamp(TimeUnit::Microsecond, None), true));
        }
        Arc::new(Schema::new(fields))
    }

    /// An event of CloudTrail as a row: <https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS>.
    fn row(self, event: &Value) -> Value {
        let at = |pointer: &str| event.pointer(pointer).filter(|value| !value.is_null()).cloned();
        let time = at("/eventTime").and_then(|time| time.as_str()?.parse::<jiff::Timestamp>().ok());
        let as_json = |pointer: &str| at(pointer).map(|value| value.to_string());
        let mut user = json!({
            "type": at("/userIdentity/type"), "name": at("/userIdentity/userName"),
            "credential_uid": at("/userIdentity/accessKeyId"),
        });
        let mut unmapped = Map::new();
        let (arn, account) = (at("/userIdentity/arn"), at("/userIdentity/accountId"));
        let (mut request, mut response) = (json!({ "uid": at("/requestID") }), json!({}));
        let mut event_code = None;
        match self {
            Self::One => {
                user["uid"] = json!(at("/userIdentity/principalId"));
                user["uuid"] = json!(arn);
                user["account_uid"] = json!(account);
                flatten("requestParameters", &event["requestParameters"], &mut unmapped);
                unmapped.extend(at("/eventType").map(|kind| ("eventType".to_owned(), kind)));
                unmapped.insert("readOnly".to_owned(), json!("true"));
            }
            Self::Two => {
                user["uid_alt"] = json!(at("/userIdentity/principalId"));
                user["uid"] = json!(arn);
                user["account"] = json!({ "uid": account });
                request["data"] = json!(as_json("/requestParameters"));
                response["data"] = json!(as_json("/responseElements"));
                event_code = at("/eventType");
            }
        }
        response["error"] = json!(at("/errorCode"));
        response["message"] = json!(at("/errorMessage"));
        let from = at("/sourceIPAddress");
        let is_name = from.as_ref().and_then(Value::as_str).is_some_and(|from| from.ends_with(".amazonaws.com"));
        let (ip, domain) = if is_name { (None, from) } else { (from, None) };
        let resources = event["resources"].as_array().map(|all| {
            let one = |resource: &Value| {
                json!({ "uid": resource["ARN"], "type": resource["type"], "account": { "uid": resource["accountId"] },
                    "owner": { "uid": "not the resource" } })
            };
            all.iter().map(one).collect::<Vec<_>>()
        });
        json!({
            "metadata": { "product": { "name": "CloudTrail" }, "uid": at("/eventID"), "event_code": event_code },
            "time": time.map(jiff::Timestamp::as_millisecond),
            "time_dt": time.map(jiff::Timestamp::as_microsecond),
            "cloud": { "region": at("/awsRegion"), "provider": "AWS" },
            "api": {
                "operation": at("/eventName"), "service": { "name": at("/eventSource") },
                "request": request, "response": response
            },
            "actor": { "user": user, "session": { "issuer": at("/userIdentity/sessionContext/sessionIssuer/arn") } },
            "http_request": { "user_agent": at("/userAgent") },
            "src_endpoint": { "ip": ip, "domain": domain, "uid": at("/vpcEndpointId") },
            "resources": resources,
            "class_uid": 6003,
            "unmapped": unmapped
        })
    }

    /// A file of these events.
    pub(crate) fn file(self, events: &[Value]) -> Vec<u8> {
        let compression = match self {
            Self::One => Compression::GZIP(GzipLevel::default()),
            Self::Two => Compression::ZSTD(ZstdLevel::default()),
        };
        self.file_with(events, WriterProperties::builder().set_compression(compression).build())
    }

    /// The same, written otherwise.
    pub(crate) fn file_with(self, events: &[Value], properties: WriterProperties) -> Vec<u8> {
        let rows: Vec<Value> = events.iter().map(|event| self.row(event)).collect();
        parquet(self.schema(), &rows, properties)
    }
}

/// In the way that makes the most of encodings: pages of the second form, no dictionaries, small pages.
pub(crate) fn in_new_encodings() -> WriterProperties {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_dictionary_enabled(false)
        .set_compression(Compression::SNAPPY)
        .set_data_page_row_count_limit(7)
        .set_write_batch_size(7)
        .set_max_row_group_row_count(Some(50))
        .build()
}

/// A Parquet file of rows.
pub(crate) fn parquet(schema: SchemaRef, rows: &[Value], properties: WriterProperties) -> Vec<u8> {
    let mut decoder =
        ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(rows.len().max(1)).build_decoder().unwrap();
    decoder.serialize(rows).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema, Some(properties)).unwrap();
    if let Some(batch) = decoder.flush().unwrap() {
        writer.write(&batch).unwrap();
    }
    writer.close().unwrap();
    file
}

/// Writes all logs beneath a folder as Security Lake would have them, and tells how many files there are.
pub(crate) fn convert(logs: &Path, lake: &Path, source: Source) -> usize {
    let mut files = 0;
    for path in files_beneath(logs) {
        let name = path.file_name().unwrap().to_str().unwrap();
        // `111122223333_CloudTrail_eu-central-1_20261101T0005Z_….json.gz`
        let [account, "CloudTrail", region, time, ..] = name.split('_').collect::<Vec<_>>()[..] else { continue };
        let mut text = String::new();
        flate2::read::GzDecoder::new(fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        let log: Value = serde_json::from_str(&text).unwrap();
        let to = lake.join(format!(
            "aws/CLOUD_TRAIL_MGMT/{}/region={region}/accountId={account}/eventDay={}",
            source.version(),
            &time[..8]
        ));
        fs::create_dir_all(&to).unwrap();
        files += 1;
        let file = source.file(log["Records"].as_array().unwrap());
        fs::write(to.join(format!("{files:032x}.gz.parquet")), file).unwrap();
    }
    files
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn structure(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(Fields::from(fields)), true)
}

/// `requestParameters.a.b`, as version 1 names what no column is made for.
fn flatten(name: &str, value: &Value, to: &mut Map<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| flatten(&format!("{name}.{field}"), value, to))
        }
        Value::String(text) => drop(to.insert(name.to_owned(), json!(text))),
        other => drop(to.insert(name.to_owned(), json!(other.to_string()))),
    }
}
