output "service_account" {
  description = "`runner.service_account` of a spec."
  value       = google_service_account.worker.email
}
