output "network" {
  description = "The network, as Cloud SQL and clusters take it: projects/PROJECT/global/networks/NAME."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.services] # a database must not come before it
}

output "subnetwork" {
  description = "The subnetwork, as `runner.subnetwork` of a spec takes it: regions/REGION/subnetworks/NAME."
  value       = "regions/${var.region}/subnetworks/${google_compute_subnetwork.this.name}"
}

output "subnetwork_id" {
  description = "The subnetwork, as a cluster takes it."
  value       = google_compute_subnetwork.this.id
}

output "pod_ranges" {
  description = "The names of the ranges of pods and of services."
  value       = { for range in google_compute_subnetwork.this.secondary_ip_range : range.range_name => range.range_name }
}
