//! Audit records: each shape in which an interaction with Copilot has been seen, and what cannot be understood.

use proptest::prelude::*;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uptake_domain::audit_event::AuditEvent;
use uptake_upstream::microsoft::audit_records::{Peeked, decode, mentions, peek};

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

/// A record of the reader's with these data, and with members beside them in place of or in addition to the usual ones.
fn record(data: &Value, beside: &Value) -> Box<RawValue> {
    let mut record = json!({
        "CreationTime": "2026-11-19T17:48:53",
        "Id": "3FC24B81-8f70-4ec4-b434-51713f4efd89",
        "Operation": "CopilotInteraction",
        "OrganizationId": "75e67881-b174-484b-9d30-c581c7ebc177",
        "RecordType": 261,
        "UserKey": "CF336493-15f3-4f56-b5e7-6aacfcfd88b0",
        "UserType": 0,
        "Version": 1,
        "Workload": "Copilot",
        "ClientIP": "",
        "UserId": "Reader@contoso.example",
        "ClientRegion": "",
        "CopilotEventData": data,
        "CopilotLogVersion": "1.0.0.0"
    });
    for (name, value) in beside.as_object().unwrap() {
        record[name] = value.clone();
    }
    raw(&record)
}

fn event(data: &Value) -> AuditEvent {
    decode(&record(data, &json!({}))).unwrap()
}

#[test]
fn a_chat_that_searched_the_web_is_understood_whole() {
    let event = event(&json!({
        "AISystemPlugin": [{"Id": "BingWebSearch", "Name": "BuiltIn"}],
        "AccessedResources": [],
        "AppHost": "Office",
        "Contexts": [],
        "MessageIds": [],
        "Messages": [
            {"Id": "1763056133585", "JailbreakDetected": false, "isPrompt": true},
            {"Id": "1763056133784", "JailbreakDetected": false, "isPrompt": false}
        ],
        "ModelTransparencyDetails": [{"ModelName": "DEEP_LEO"}],
        "ThreadId": "19:abc@thread.v2"
    }));
    assert_eq!(
        event,
        AuditEvent {
            event_id: "3fc24b81-8f70-4ec4-b434-51713f4efd89".into(),
            event_at: "2026-11-19T17:48:53Z".parse().unwrap(),
            upn: "reader@contoso.example".into(),
            user_key: Some("cf336493-15f3-4f56-b5e7-6aacfcfd88b0".into()),
            operation: "CopilotInteraction".into(),
            record_type: 261,
            app: "chat".into(),
            app_host: Some("Office".into()),
            agent_id: None,
            agent_name: None,
            prompts: 1,
            web_search: true,
            details: json!({"models": ["DEEP_LEO"], "thread_id": "19:abc@thread.v2"})
                .as_object()
                .unwrap()
                .clone(),
        }
    );
}

#[test]
fn an_agent_tells_its_id_its_name_and_what_it_read() {
    let data = json!({
        "AppHost": "Office",
        "AccessedResources": [{
            "Action": "Read", "PolicyDetails": "", "SiteUrl": "https://tickets.example/", "Type": "External",
            "SensitivityLabelId": "label-1", "Name": "not kept"
        }, "odd", {"Name": "not kept"}],
        "Messages": [{"Id": "1", "isPrompt": true}, {"Id": "2", "isPrompt": true}]
    });
    let beside = json!({"AgentId": "T_6cf8d39b.86b95ea5", "AgentName": "SNOW Tickets"});
    let event = decode(&record(&data, &beside)).unwrap();
    assert_eq!(event.app, "agent");
    assert_eq!(event.agent_id.as_deref(), Some("T_6cf8d39b.86b95ea5"));
    assert_eq!(event.agent_name.as_deref(), Some("SNOW Tickets"));
    assert_eq!((event.prompts, event.web_search), (2, false));
    assert_eq!(
        Value::Object(event.details),
        json!({"resources": [{
            "type": "External", "site_url": "https://tickets.example/", "action": "Read", "sensitivity_label": "label-1"
        }]})
    );
}

#[test]
fn an_agent_of_copilot_studio_is_its_identity() {
    for (identity, name) in [
        (
            "Copilot.Studio.Default-75e67881-b174-484b-9d30-c581c7ebc177-cr8a3_itHelpdesk",
            Some("cr8a3_itHelpdesk"),
        ),
        (
            "Copilot.Studio.75e67881-b174-484b-9d30-c581c7ebc177-it-helpdesk",
            Some("it-helpdesk"),
        ),
        ("Copilot.Studio.Default-75e67881-b174-484b-9d30-c581c7ebc177", None),
        ("Copilot.Studio.Default-75e67881-b174-484b-9d30-c581c7ebc177-", None),
        ("Copilot.Studio.somethingöNew", None),
    ] {
        let data = json!({"AppHost": "Copilot Studio", "Messages": [{"Id": "1", "isPrompt": false}]});
        let event = decode(&record(&data, &json!({"AppIdentity": identity, "ClientRegion": "prd"}))).unwrap();
        assert_eq!(event.app, "copilot_studio");
        assert_eq!(event.agent_id.as_deref(), Some(identity));
        assert_eq!(event.agent_name.as_deref(), name, "{identity}");
        assert_eq!((event.prompts, event.web_search), (0, false));
        assert_eq!(
            Value::Object(event.details),
            json!({"app_identity": identity, "client_region": "prd"})
        );
    }
    let other = json!({"AppIdentity": "Copilot.MicrosoftCopilot.Microsoft365Copilot"});
    let event = decode(&record(&json!({"AppHost": "Word"}), &other)).unwrap();
    assert_eq!((event.app.as_str(), event.agent_id), ("word", None));
}

#[test]
fn each_host_is_its_app() {
    let cases = [
        (
            json!({"AppHost": "OAIAutomationAgent", "Messages": []}),
            "copilot_action",
            0,
        ),
        // Designer: no thread.
        (
            json!({"AppHost": "Designer", "Messages": [{"Id": "0", "isPrompt": true}], "CorrelationId": "c", "ThreadId": ""}),
            "designer",
            1,
        ),
        (
            json!({"AppHost": "Word", "Contexts": [{"Id": "https://contoso.example/Doc.aspx?x", "Type": "docx"}]}),
            "word",
            0,
        ),
        (
            json!({"AppHost": "Teams", "Contexts": [{"Id": "https://teams.example/", "Type": "TeamsMeeting"}]}),
            "teams",
            0,
        ),
        (json!({"AppHost": "Teams", "Contexts": null}), "chat", 0),
        (json!({"AppHost": "NobodyKnows"}), "nobodyknows", 0),
        (json!({"AppHost": 7}), "unknown", 0),
        (json!(null), "unknown", 0),
        (
            json!("{\"AppHost\": \"Excel\", \"Messages\": [{\"IsPrompt\": \"True\"}]}"),
            "excel",
            1,
        ),
    ];
    for (data, app, prompts) in cases {
        let event = event(&data);
        assert_eq!((event.app.as_str(), event.prompts), (app, prompts), "{data}");
    }
    let word = event(
        &json!({"AppHost": "Word", "Contexts": [{"Id": "https://contoso.example/Doc.aspx", "Type": "docx", "Text": "not kept"}]}),
    );
    assert_eq!(
        Value::Object(word.details),
        json!({"contexts": [{"id": "https://contoso.example/Doc.aspx", "type": "docx"}]})
    );
}

#[test]
fn no_text_that_anybody_wrote_is_kept_and_lists_are_not_endless() {
    let many: Vec<Value> = (0..500)
        .map(|number| json!({"Id": number.to_string(), "Type": "docx", "Preview": "what was asked"}))
        .collect();
    let event = event(&json!({
        "AppHost": "Word",
        "Contexts": many,
        "Messages": [{"Id": "1", "isPrompt": true, "Text": "what was asked", "Body": {"content": "what was asked"}}],
        "Prompt": "what was asked",
        "ModelTransparencyDetails": [{"ModelName": "A", "ModelVersion": "1"}, {"ModelName": "A"}, {"ModelName": "B"}],
    }));
    let told = Value::Object(event.details.clone()).to_string();
    assert!(!told.contains("asked"), "{told}");
    assert_eq!(event.details["contexts"].as_array().unwrap().len(), 100);
    assert_eq!(event.details["models"], json!(["A", "B"]));
}

#[test]
fn an_instant_without_an_offset_is_utc() {
    for (text, expected) in [
        ("2026-11-19T17:48:53", "2026-11-19T17:48:53Z"),
        ("2026-11-19T17:48:53.1234567", "2026-11-19T17:48:53.1234567Z"),
        ("2026-11-19T17:48:53Z", "2026-11-19T17:48:53Z"),
        ("2026-11-19T17:48:53+02:00", "2026-11-19T15:48:53Z"),
    ] {
        let event = decode(&record(&json!({}), &json!({"CreationTime": text}))).unwrap();
        assert_eq!(event.event_at, expected.parse().unwrap(), "{text}");
    }
}

#[test]
fn what_an_event_cannot_do_without_makes_a_record_undecodable() {
    for (beside, rule) in [
        (json!({"Id": null}), "audit_id"),
        (json!({"Id": " "}), "audit_id"),
        (json!({"UserId": ""}), "audit_user"),
        (json!({"UserId": {"name": "x"}}), "audit_user"),
        (json!({"Operation": null}), "audit_operation"),
        (json!({"CreationTime": null}), "audit_date"),
        (json!({"CreationTime": "yesterday"}), "audit_date"),
        (json!({"CreationTime": "2026-11-19"}), "audit_date"),
        (json!({"CreationTime": "2026-13-19T00:00:00"}), "audit_date"),
        (json!({"CreationTime": "0001-01-01T00:00:00"}), "audit_date"),
    ] {
        let undecoded = decode(&record(&json!({}), &beside)).unwrap_err();
        assert_eq!(undecoded.rule, rule, "{beside} {}", undecoded.reason);
    }
    for other in [json!([]), json!("x"), json!(null), json!(7)] {
        assert_eq!(decode(&raw(&other)).unwrap_err().rule, "audit_record");
    }
    let untyped = decode(&record(&json!({}), &json!({"RecordType": null}))).unwrap();
    assert_eq!(untyped.record_type, 0);
}

#[test]
fn the_head_is_read_of_records_that_cannot_be_decoded() {
    let head = peek(&record(&json!({}), &json!({"CreationTime": 7, "RecordType": "261"})));
    assert_eq!(
        head,
        Peeked {
            event_id: Some("3fc24b81-8f70-4ec4-b434-51713f4efd89".into()),
            user_id: Some("reader@contoso.example".into()),
            user_key: Some("cf336493-15f3-4f56-b5e7-6aacfcfd88b0".into()),
            operation: Some("CopilotInteraction".into()),
            record_type: Some(261),
        }
    );
    // As a row of the audit query names them.
    let row = peek(&raw(
        &json!({"id": "1", "userId": "Reader@contoso.example", "operation": "X"}),
    ));
    assert_eq!(row.user_id.as_deref(), Some("reader@contoso.example"));
    assert_eq!(peek(&raw(&json!(["reader@contoso.example"]))), Peeked::default());
    // The last of two, for the head and for the event.
    let twice = r#"{"UserId": "a@contoso.example", "UserId": "b@contoso.example", "Id": "1", "Operation": "X", "CreationTime": "2026-11-19T00:00:00"}"#;
    let twice = RawValue::from_string(twice.to_owned()).unwrap();
    assert_eq!(peek(&twice).user_id.as_deref(), Some("b@contoso.example"));
    assert_eq!(decode(&twice).unwrap().upn, "b@contoso.example");
}

#[test]
fn a_record_names_somebody_wherever_the_name_stands() {
    let is_reader = |text: &str| text == "reader@contoso.example";
    for value in [
        json!({"UserId": "Reader@Contoso.example"}),
        json!({"UserId": "  reader@contoso.example "}),
        json!({"UserId": ["reader@contoso.example"]}),
        json!({"X": {"Y": [7, {"Z": "i:0#.f|membership|reader@contoso.example"}]}}),
        json!({"reader@contoso.example": true}),
        json!("<reader@contoso.example>, and others"),
        json!("'reader@contoso.example'."),
        json!("mailto:reader@contoso.example"),
        json!("https://contoso.example/x?user=reader%40contoso.example&y=1"),
        json!("https://contoso.example/reader@contoso.example/Doc.aspx"),
        json!("{\"UserId\":\"reader@contoso.example\"}"),
        json!("{\"UserId\":\"reader\\u0040contoso.example\"}"),
    ] {
        assert!(mentions(&raw(&value), &is_reader), "{value}");
    }
    let escaped = RawValue::from_string(r#"{"UserId": "\u0072eader\u0040contoso.example"}"#.to_owned()).unwrap();
    assert!(mentions(&escaped, &is_reader));
    let deep = format!("{}\"reader@contoso.example\"{}", "[".repeat(200), "]".repeat(200));
    let deep = RawValue::from_string(deep).unwrap();
    assert!(
        mentions(&deep, &is_reader),
        "too deep to be read as anything but a text"
    );
    for value in [
        json!({"UserId": "another.reader@contoso.example"}),
        json!({"UserId": "reader@contoso.example.org"}),
        json!({"UserId": "reader"}),
        json!(null),
    ] {
        assert!(!mentions(&raw(&value), &is_reader), "{value}");
    }
    let is_somebody = |text: &str| text == "o'neil_guest.example#ext#@contoso.example" || text == "cf336493";
    assert!(mentions(
        &raw(&json!({"x": "O'Neil_guest.example#EXT#@contoso.example"})),
        &is_somebody
    ));
    assert!(mentions(&raw(&json!({"UserKey": "CF336493"})), &is_somebody));
}

proptest! {
    #[test]
    fn any_record_is_read_without_a_panic(text in "[\\[\\]{}\",:a-z@0-9\\\\é. -]{0,60}", host in ".{0,20}") {
        let beside = json!({"AppIdentity": format!("Copilot.Studio.{text}"), "AgentName": host, "CreationTime": text});
        let data = json!({"AppHost": host, "Contexts": [text], "Messages": text});
        let any = record(&data, &beside);
        let _ = (decode(&any), peek(&any), mentions(&any, &|_| false));
        if let Ok(any) = RawValue::from_string(text) {
            let _ = (decode(&any), peek(&any), mentions(&any, &|_| false));
        }
    }
}
