# What a run needs to know of all this: its environment and, in the cluster, its pod.

locals {
  # As the policy writes it: what chooses who pays, as whom machines act and what code they run is allowed with these values only.
  dataflow = !var.create_dataflow ? [] : concat(
    ["dataflow"],
    ["dataflow:project=${var.project}", "dataflow:region=${var.region}", "dataflow:service_account=${module.dataflow[0].service_account}"],
    local.dataflow_subnetwork == null ? [] : ["dataflow:subnetwork=${local.dataflow_subnetwork}"],
    ["dataflow:use_public_ips=False"],
    var.create_images ? ["dataflow:sdk_container_image=${module.images[0].address}"] : [],
  )
  dataflow_subnetwork = var.create_network ? module.network[0].subnetwork : var.subnetwork

  environment = {
    GROUPSTREAM_ROOT            = module.store.root
    GROUPSTREAM_REGISTRY_URL    = module.registry.registry_urls["writer"]
    GROUPSTREAM_ALLOWED_ROOTS   = module.store.root
    GROUPSTREAM_ALLOWED_RUNNERS = join(",", concat(["local"], local.dataflow))
  }

  pod = {
    initContainers = [{
      name            = "cloud-sql-proxy"
      image           = var.proxy_image
      restartPolicy   = "Always" # a sidecar: it ends when the run has ended
      args            = concat(["--auto-iam-authn"], local.network == null ? [] : ["--private-ip"], [module.registry.connection_name])
      securityContext = { allowPrivilegeEscalation = false, readOnlyRootFilesystem = true, capabilities = { drop = ["ALL"] } }
    }]
  }

  in_cluster = {
    pool_type = "kubernetes"
    pool_defaults = {
      node_selector = { "groupstream/pool" = "builds" }
      tolerations   = [{ key = "groupstream/pool", operator = "Equal", value = "builds", effect = "NoSchedule" }]
    }
    pod              = local.pod
    create_gpu_pool  = var.create_gpu_pool
    starting_seconds = 900 # a machine is found and an image pulled before the first sign of life
    flow_job_variables = {
      maintain = {
        service_account_name = "maintainer" # the only one that deletes
        env                  = { GROUPSTREAM_REGISTRY_URL = module.registry.registry_urls["maintainer"] }
      }
    }
  }
}
