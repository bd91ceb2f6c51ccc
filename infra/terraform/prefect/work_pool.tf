# The queues of runs. For Kubernetes their templates are those of infra/kubernetes, else Prefect's own for the type of worker; our
# defaults are put into them.

data "prefect_worker_metadata" "this" {
  count = var.pool_type == "kubernetes" ? 0 : 1
}

locals {
  templates = "${local.checkout}/infra/kubernetes"
  standard = jsondecode(var.pool_type == "kubernetes" ? file("${local.templates}/job-template.json") :
  data.prefect_worker_metadata.this[0].base_job_configs[replace(var.pool_type, "-", "_")])
  properties = local.standard.variables.properties
  with_defaults = merge(local.standard, {
    variables = merge(local.standard.variables, {
      properties = merge(local.properties, { for name, value in var.pool_defaults : name => merge(local.properties[name], { default = value }) })
    })
  })

  # For Kubernetes: what each pod has besides, such as the proxy of the database.
  manifest = try(local.standard.job_configuration.job_manifest, null)
  with_pod = length(var.pod) == 0 ? null : merge(local.with_defaults, {
    job_configuration = merge(local.standard.job_configuration, {
      job_manifest = merge(local.manifest, {
        spec = merge(local.manifest.spec, {
          template = merge(local.manifest.spec.template, {
            spec = merge(local.manifest.spec.template.spec, var.pod)
          })
        })
      })
    })
  })
}

resource "prefect_work_pool" "this" {
  name              = "groupstream"
  type              = var.pool_type
  description       = "Builds and maintenance of datasets. Its limit says how many run at once."
  concurrency_limit = var.concurrency_limit
  base_job_template = length(var.pod) == 0 ? jsonencode(local.with_defaults) : jsonencode(local.with_pod)
}

resource "prefect_work_pool" "gpu" {
  count = var.create_gpu_pool ? 1 : 0

  name              = "groupstream-gpu"
  type              = "kubernetes"
  description       = "Training, on machines with GPUs."
  base_job_template = jsonencode(jsondecode(file("${local.templates}/gpu-job-template.json")))
}
