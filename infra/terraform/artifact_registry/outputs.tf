output "address" {
  description = "What the names of images begin with: docker push ADDRESS/groupstream-worker:1."
  value       = "${var.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "github_provider" {
  description = "`workload_identity_provider` of google-github-actions/auth; null where nobody pushes from GitHub."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}

output "github_service_account" {
  description = "`service_account` of google-github-actions/auth; null where nobody pushes from GitHub."
  value       = one(google_service_account.images[*].email)
}
