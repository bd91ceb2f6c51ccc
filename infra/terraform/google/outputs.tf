output "GROUPSTREAM_ROOT" {
  description = "For everybody."
  value       = module.store.root
}

output "GROUPSTREAM_REGISTRY_URL" {
  description = "For the writer and the maintainer, each with a Cloud SQL Auth Proxy beside it. There is no password."
  value       = module.registry.registry_urls
}

output "service_accounts" {
  description = "Whom to impersonate, or to bind workloads to."
  value       = module.store.service_accounts
}

output "cloud_sql_connection" {
  description = "cloud-sql-proxy --auto-iam-authn CONNECTION"
  value       = module.registry.connection_name
}

output "first_statements" {
  description = "SQL to run once."
  value       = module.registry.first_statements
}

output "worker_environment" {
  description = "The environment of a worker that builds, with a Cloud SQL Auth Proxy beside it."
  value       = local.environment
}

output "dataflow_runner" {
  description = "`runner` of a spec that builds on Dataflow, but for its image; null where create_dataflow is false."
  value = !var.create_dataflow ? null : {
    kind            = "dataflow"
    project         = var.project
    region          = var.region
    service_account = module.dataflow[0].service_account
    subnetwork      = local.dataflow_subnetwork
    use_public_ips  = false
  }
}

output "images" {
  description = "Where images lie and who pushes them: an address, and what google-github-actions/auth takes; null where create_images is false."
  value = !var.create_images ? null : {
    address                    = module.images[0].address
    workload_identity_provider = module.images[0].github_provider
    service_account            = module.images[0].github_service_account
  }
}

output "cluster" {
  description = "The cluster: gcloud container clusters get-credentials CLUSTER --dns-endpoint; null where create_cluster is false."
  value       = one(module.cluster[*].name)
}

output "kubernetes_annotations" {
  description = "The annotation iam.gke.io/gcp-service-account of each account of Kubernetes."
  value = merge(
    { builder = local.accounts["writer"], trainer = local.accounts["reader"], maintainer = local.accounts["maintainer"] },
    var.create_vertex_ai ? { worker = module.vertex_ai[0].service_account } : {},
  )
}

output "prefect" {
  description = "Variables of ../prefect: terraform output -json prefect > ../prefect/google.auto.tfvars.json."
  value       = merge({ environment = local.environment }, { for name, value in local.in_cluster : name => value if var.create_cluster })
}
