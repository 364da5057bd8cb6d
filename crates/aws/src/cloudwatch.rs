//! Metrics: every datum to `CloudWatch`, in as few requests as its limits allow.

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use uptake_domain::catalogue::{Datum, Namespace, Reading};
use uptake_pipeline::ports::{Metrics, PortError};

use crate::service_error::port_error;

/// What one `PutMetricData` request may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    data: usize,
    bytes: usize,
}

/// "Each request is also limited to no more than 1000 different metrics" and "to 1 MB in size for HTTP POST requests"
/// (`PutMetricData`, Amazon CloudWatch API reference, read 2026-11-21).
const LIMITS: Limits = Limits {
    data: 1_000,
    bytes: 1_000_000,
};

/// Upper bounds of what the query protocol adds to the texts of a request, of a datum and of a dimension, of what it makes
/// of a distribution's value and its count, and of the bytes a character of a text takes once it is percent-encoded. A test
/// holds them against real requests.
const REQUEST_BYTES: usize = 256;
const DATUM_BYTES: usize = 256;
const DIMENSION_BYTES: usize = 128;
const VALUE_BYTES: usize = 132;
const CHARACTER_BYTES: usize = 3;

/// `CloudWatch` in the function's own account and region.
#[derive(Clone, Debug)]
pub struct CloudWatch(Client);

impl CloudWatch {
    /// Publishes through `client`.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Metrics for CloudWatch {
    async fn publish(&self, data: &[Datum]) -> Result<(), PortError> {
        for (namespace, batch) in batches(data, LIMITS) {
            let namespace = namespace.as_str();
            self.0
                .put_metric_data()
                .namespace(namespace)
                .set_metric_data(Some(batch.into_iter().map(wire_datum).collect()))
                .send()
                .await
                .map_err(|error| {
                    port_error(
                        format!("metrics of {namespace}"),
                        format!("cloudwatch:PutMetricData on * with cloudwatch:namespace = {namespace}"),
                        &error,
                    )
                })?;
        }
        Ok(())
    }
}

/// The data as requests: each of one namespace and within the limits, the order within a namespace kept.
///
/// A datum that is over the limit by itself goes alone; the catalogue keeps texts and distributions far below that.
fn batches(data: &[Datum], limits: Limits) -> Vec<(Namespace, Vec<&Datum>)> {
    let mut data: Vec<&Datum> = data.iter().collect();
    data.sort_by_key(|datum| datum.spec.namespace);
    let mut batches: Vec<(Namespace, Vec<&Datum>)> = Vec::new();
    let mut room = 0;
    for datum in data {
        let namespace = datum.spec.namespace;
        let size = size(datum);
        match batches.last_mut() {
            Some((same, batch)) if *same == namespace && batch.len() < limits.data && size <= room => {
                batch.push(datum);
                room -= size;
            }
            _ => {
                batches.push((namespace, vec![datum]));
                room = limits.bytes.saturating_sub(REQUEST_BYTES + size);
            }
        }
    }
    batches
}

/// The most bytes a datum takes in a request.
fn size(datum: &Datum) -> usize {
    let dimensions = datum.dimensions.iter();
    let dimensions: usize = dimensions
        .map(|(dimension, value)| DIMENSION_BYTES + CHARACTER_BYTES * (dimension.as_str().len() + value.len()))
        .sum();
    let values = match &datum.reading {
        Reading::Value(_) => 0,
        Reading::Distribution(values) => VALUE_BYTES * values.len(),
    };
    DATUM_BYTES + CHARACTER_BYTES * (datum.spec.name.len() + datum.spec.unit.as_str().len()) + dimensions + values
}

fn wire_datum(datum: &Datum) -> MetricDatum {
    let dimensions = datum
        .dimensions
        .iter()
        .map(|(dimension, value)| Dimension::builder().name(dimension.as_str()).value(value).build());
    #[expect(clippy::cast_precision_loss, reason = "how often a value occurs is far below 2^53")]
    let (value, values, counts) = match &datum.reading {
        Reading::Value(value) => (Some(*value), None, None),
        Reading::Distribution(values) => {
            let (values, counts) = values.iter().map(|(value, count)| (*value, *count as f64)).unzip();
            (None, Some(values), Some(counts))
        }
    };
    MetricDatum::builder()
        .metric_name(datum.spec.name)
        .set_dimensions(Some(dimensions.collect()))
        .timestamp(DateTime::from_millis(datum.timestamp.as_millisecond()))
        .unit(StandardUnit::from(datum.spec.unit.as_str()))
        .set_value(value)
        .set_values(values)
        .set_counts(counts)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uptake_domain::catalogue::{ALL, Dimension, MOST_VALUES};

    fn datum(spec: usize, text: &str, value: u32) -> Datum {
        ALL[spec % ALL.len()].datum(
            vec![(Dimension::Team, text.to_owned())],
            Timestamp::UNIX_EPOCH,
            value.into(),
        )
    }

    /// A distribution of as many values, all as long as numbers get.
    fn distribution(spec: usize, text: &str, values: usize) -> Datum {
        let reading = (0_u32..)
            .take(values)
            .map(|value| (-1e-300 / (3.0 + f64::from(value)), u64::MAX));
        Datum {
            reading: Reading::Distribution(reading.collect()),
            ..datum(spec, text, 0)
        }
    }

    fn of_namespace<'a>(data: impl IntoIterator<Item = &'a Datum>, namespace: Namespace) -> Vec<&'a Datum> {
        data.into_iter()
            .filter(|datum| datum.spec.namespace == namespace)
            .collect()
    }

    proptest! {
        #[test]
        fn every_datum_travels_once_in_order_and_no_request_is_over_the_limits(
            data in prop::collection::vec((0..40_usize, "[a-z]{1,128}", 0..9_u32, 0..9_usize), 0..60),
            most_data in 1..20_usize,
            most_bytes in 2_400..9_000_usize,
        ) {
            let data: Vec<Datum> = data
                .iter()
                .map(|(spec, text, value, values)| match values {
                    0 => datum(*spec, text, *value),
                    _ => distribution(*spec, text, *values),
                })
                .collect();
            let batches = batches(&data, Limits { data: most_data, bytes: most_bytes });
            for (namespace, batch) in &batches {
                prop_assert!(batch.len() <= most_data && !batch.is_empty());
                prop_assert!(REQUEST_BYTES + batch.iter().map(|datum| size(datum)).sum::<usize>() <= most_bytes);
                prop_assert!(batch.iter().all(|datum| datum.spec.namespace == *namespace));
            }
            let sent: Vec<&Datum> = batches.into_iter().flat_map(|(_, batch)| batch).collect();
            for namespace in [Namespace::Copilot, Namespace::Pipeline, Namespace::Workflows] {
                prop_assert_eq!(of_namespace(sent.iter().copied(), namespace), of_namespace(&data, namespace));
            }
            prop_assert_eq!(sent.len(), data.len());
        }
    }

    #[test]
    fn as_few_requests_as_the_limits_allow() {
        let data: Vec<Datum> = (0..2_500).map(|value| datum(0, "team", value)).collect();
        let sizes: Vec<usize> = batches(&data, LIMITS).iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
        assert_eq!(batches(&[], LIMITS).len(), 0);
    }

    #[tokio::test]
    async fn a_request_takes_no_more_bytes_than_were_reckoned() {
        let service = Loopback::answering(200, "").await;
        let config = aws_sdk_cloudwatch::config::Builder::from(&service.sdk_config())
            .disable_request_compression(true)
            .build();
        let metrics = CloudWatch::new(Client::from_conf(config));
        let text = "/".repeat(128);
        let requests: [Vec<Datum>; 3] = [
            (0..1_000).map(|value| datum(0, &text, value)).collect(),
            // The most values a datum may hold, and the most data that may hold several.
            vec![distribution(0, &text, MOST_VALUES); 45],
            vec![distribution(0, "/", 3); 1_000],
        ];
        for (number, data) in requests.iter().enumerate() {
            let answer = metrics.publish(data).await;
            assert!(answer.is_ok(), "{answer:?}");
            let sent = service.requests();
            assert_eq!(sent.len(), number + 1);
            let reckoned = REQUEST_BYTES + data.iter().map(size).sum::<usize>();
            let real = sent[number].len();
            assert!(
                real <= reckoned && reckoned <= LIMITS.bytes && reckoned < 2 * real,
                "{number}: {real} bytes, reckoned {reckoned}"
            );
        }
    }

    #[tokio::test]
    async fn a_missing_permission_is_named() {
        let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>";
        let service = Loopback::answering(403, denied).await;
        let metrics = CloudWatch::new(Client::new(&service.sdk_config()));
        let message = metrics.publish(&[datum(0, "team", 1)]).await.unwrap_err().to_string();
        assert!(message.contains("grant cloudwatch:PutMetricData"), "{message}");
    }
}
