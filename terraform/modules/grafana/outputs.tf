# What others refer to.

output "url" {
  description = "Where Grafana answers."
  value       = "https://${aws_grafana_workspace.grafana.endpoint}"
}

output "workspace_id" {
  description = "Id, for `uptake grafana push` and for the addresses that the identity provider has to know."
  value       = aws_grafana_workspace.grafana.id
}
