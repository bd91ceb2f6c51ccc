output "service_account" {
  description = "The account of Prefect's worker for Vertex AI."
  value       = google_service_account.submitter.email
}
