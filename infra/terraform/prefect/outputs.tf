output "work_pool" {
  description = "What a worker is started with: prefect worker start --pool POOL."
  value       = prefect_work_pool.this.name
}

output "deployments" {
  description = "The ids of the deployments, by what `prefect deployment run` calls them."
  value       = { for key, each in prefect_deployment.this : key => each.id }
}

output "worker_environment" {
  description = "The environment of the worker and of whoever starts runs. A key comes besides, as PREFECT_API_KEY."
  value = {
    PREFECT_API_URL = var.account_id == null ? var.endpoint : "${trimsuffix(trimsuffix(var.endpoint, "/"), "/api")}/api/accounts/${var.account_id}/workspaces/${var.workspace_id}"
  }
}
