//! Calls that AWS makes with a function's role and no test can record: derived from what the function itself called, and
//! from how it was deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::recorder::Call;

/// What a deployment tells of itself: the resources of its state and its outputs.
#[derive(Clone, Copy)]
pub(crate) struct Deployment<'d> {
    pub(crate) resources: &'d [Value],
    pub(crate) outputs: &'d Value,
    /// What every name on AWS begins with.
    pub(crate) prefix: &'d str,
    pub(crate) region: &'d str,
}

impl<'d> Deployment<'d> {
    fn of_type(self, kind: &'d str) -> impl Iterator<Item = &'d Value> {
        let resources = self.resources.iter().filter(move |resource| resource["type"] == kind);
        resources.map(|resource| &resource["values"])
    }

    /// Buckets and the keys that they encrypt with, by ARN.
    fn keys_of_buckets(self) -> BTreeMap<String, String> {
        let encrypted = self.of_type("aws_s3_bucket_server_side_encryption_configuration");
        encrypted
            .filter_map(|encryption| {
                let by_default = &encryption["rule"][0]["apply_server_side_encryption_by_default"][0];
                let bucket = format!("arn:aws:s3:::{}", text(&encryption["bucket"]));
                Some((bucket, by_default["kms_master_key_id"].as_str()?.to_owned()))
            })
            .collect()
    }

    /// Queues and the keys that they encrypt with, by ARN.
    fn keys_of_queues(self) -> BTreeMap<String, String> {
        let queues = self.of_type("aws_sqs_queue");
        queues
            .map(|queue| (text(&queue["arn"]), text(&queue["kms_master_key_id"])))
            .collect()
    }

    /// Secret parameters and the keys that their values are to be put there with, by ARN.
    fn keys_of_parameters(self) -> BTreeMap<String, String> {
        let aliases: BTreeMap<String, String> = self
            .of_type("aws_kms_alias")
            .map(|alias| (text(&alias["name"]), text(&alias["target_key_arn"])))
            .collect();
        let commands = self.outputs["put_parameters"].as_object().into_iter().flatten();
        commands
            .filter_map(|(name, command)| {
                let alias = command.as_str()?.split("--key-id ").nth(1)?.split(' ').next()?;
                let arn = format!("arn:aws:ssm:{}:123456789012:parameter{name}", self.region);
                Some((arn, aliases[alias].clone()))
            })
            .collect()
    }

    /// What AWS does on behalf of a function that makes these calls.
    pub(crate) fn behind(self, calls: &[Call]) -> BTreeSet<Call> {
        let (buckets, queues, parameters) = (self.keys_of_buckets(), self.keys_of_queues(), self.keys_of_parameters());
        let mut implied = BTreeSet::new();
        for call in calls {
            let mut imply = |action: &str, resource: &str, context: &[(&str, &str)]| {
                implied.insert(Call {
                    who: call.who.clone(),
                    action: action.to_owned(),
                    resource: resource.to_owned(),
                    context: context
                        .iter()
                        .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
                        .collect(),
                });
            };
            let via = |service: &str| format!("{service}.{}.amazonaws.com", self.region);
            match call.action.as_str() {
                // S3 answers 403 in place of 404 to whoever may not list, and every function asks for what is not there yet.
                "s3:GetObject" => {
                    let bucket = call.resource.split('/').next().unwrap();
                    imply("s3:ListBucket", bucket, &[]);
                    imply("kms:Decrypt", &buckets[bucket], &[("kms:ViaService", &via("s3"))]);
                }
                // The parts of a large object are read again when it is put together.
                "s3:PutObject" => {
                    let bucket = call.resource.split('/').next().unwrap();
                    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
                        imply(action, &buckets[bucket], &[("kms:ViaService", &via("s3"))]);
                    }
                }
                "ssm:GetParameter" => {
                    if let Some(key) = parameters.get(&call.resource) {
                        let context = [
                            ("kms:ViaService", &*via("ssm")),
                            ("kms:EncryptionContext:PARAMETER_ARN", &*call.resource),
                        ];
                        imply("kms:Decrypt", key, &context);
                    }
                }
                "sqs:SendMessage" => {
                    for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
                        imply(action, &queues[&call.resource], &[("kms:ViaService", &via("sqs"))]);
                    }
                }
                "sqs:ReceiveMessage" => {
                    imply(
                        "kms:Decrypt",
                        &queues[&call.resource],
                        &[("kms:ViaService", &via("sqs"))],
                    );
                }
                _ => {}
            }
        }
        implied
    }

    /// What Lambda does with the role of each function: logs, traces, dead letters, and taking messages out of queues.
    pub(crate) fn of_lambda(self) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut call = |who: &str, action: &str, resource: String| {
            calls.push(Call {
                who: who.to_owned(),
                action: action.to_owned(),
                resource,
                context: BTreeMap::new(),
            });
        };
        let bare = |name: &Value| text(name).strip_prefix(self.prefix).unwrap().to_owned();
        for function in self.of_type("aws_lambda_function") {
            let who = bare(&function["function_name"]);
            // moto forgets the group's name, which is the one that Lambda takes by itself.
            let group = format!(
                "arn:aws:logs:{}:123456789012:log-group:/aws/lambda/{}",
                self.region,
                text(&function["function_name"])
            );
            call(&who, "logs:CreateLogStream", format!("{group}:"));
            call(&who, "logs:PutLogEvents", format!("{group}:log-stream:any"));
            if function["tracing_config"][0]["mode"] == "Active" {
                call(&who, "xray:PutTraceSegments", "*".to_owned());
                call(&who, "xray:PutTelemetryRecords", "*".to_owned());
            }
        }
        for config in self.of_type("aws_lambda_function_event_invoke_config") {
            let destination = &config["destination_config"][0]["on_failure"][0]["destination"];
            call(&bare(&config["function_name"]), "sqs:SendMessage", text(destination));
        }
        for mapping in self.of_type("aws_lambda_event_source_mapping") {
            let function = text(&mapping["function_name"]);
            let who = function.rsplit(':').next().unwrap().strip_prefix(self.prefix).unwrap();
            for action in ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"] {
                call(who, action, text(&mapping["event_source_arn"]));
            }
        }
        calls
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
