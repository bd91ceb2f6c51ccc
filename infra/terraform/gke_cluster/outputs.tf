output "name" {
  description = "The name of the cluster: gcloud container clusters get-credentials NAME --dns-endpoint."
  value       = google_container_cluster.this.name
}

output "node_service_account" {
  description = "The account of the machines, which pulls images."
  value       = google_service_account.nodes.email
}

output "workloads" {
  description = "The accounts of Kubernetes that act as accounts of IAM, as principals, by what they do."
  value = { for role in ["builder", "trainer", "maintainer", "worker"] :
  role => "serviceAccount:${google_container_cluster.this.workload_identity_config[0].workload_pool}[${var.namespace}/${role}]" }
}
