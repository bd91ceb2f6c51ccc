# What groupstream is on a server of Prefect, or in a workspace of Prefect Cloud: pools, deployments, schedules, automations.
# Deployments and automations are read from prefect.yaml and automations.yaml, so that they are the same however they get there.

terraform {
  required_version = ">= 1.9"
  required_providers {
    prefect = {
      source  = "prefecthq/prefect"
      version = ">= 2.0"
    }
  }
}

provider "prefect" { # a key comes by PREFECT_API_KEY, or PREFECT_BASIC_AUTH_KEY for an own server: neither is in the state
  endpoint     = var.endpoint
  account_id   = var.account_id
  workspace_id = var.workspace_id
}

locals {
  checkout    = coalesce(var.checkout, "${path.module}/../../..")
  definitions = yamldecode(file("${local.checkout}/prefect.yaml")).deployments
  schemas     = jsondecode(var.parameter_schemas_file == null ? "{}" : file(var.parameter_schemas_file))

  deployments = { for each in local.definitions : "${replace(reverse(split(".", each.entrypoint))[0], "_", "-")}/${each.name}" => each }
  flows       = toset([for key in keys(local.deployments) : split("/", key)[0]])
  schedules = merge([for key, each in local.deployments : {
    for schedule in try(each.schedules, []) : "${key}/${schedule.slug}" => merge(schedule, { deployment = key })
  }]...)

  # What each run is started with: what prefect.yaml says, then what is said for all, then for its flow.
  job_variables = { for key, each in local.deployments : key => merge(
    local.image,
    { for name, value in try(var.flow_job_variables[split("/", key)[0]], {}) : name => value if name != "env" },
    { env = merge(try(each.work_pool.job_variables.env, {}), var.environment, try(var.flow_job_variables[split("/", key)[0]].env, {})) },
  ) }

  image = var.image == null ? {} : { image = "{{ prefect.variables.${prefect_variable.image[0].name} }}" }
}

resource "prefect_flow" "this" {
  for_each = local.flows

  name = each.key
  tags = ["groupstream"]
}

resource "prefect_deployment" "this" {
  for_each = local.deployments

  name        = each.value.name
  flow_id     = prefect_flow.this[split("/", each.key)[0]].id
  description = each.value.description
  entrypoint  = each.value.entrypoint # a module, which the image has: nothing is fetched
  tags        = each.value.tags

  parameters               = jsonencode(try(each.value.parameters, {}))
  parameter_openapi_schema = try(jsonencode(local.schemas[split("/", each.key)[0]]), null)
  enforce_parameter_schema = contains(keys(local.schemas), split("/", each.key)[0])

  work_pool_name      = prefect_work_pool.this.name
  job_variables       = jsonencode(local.job_variables[each.key])
  concurrency_limit   = each.value.concurrency_limit.limit
  concurrency_options = { collision_strategy = each.value.concurrency_limit.collision_strategy }
}

resource "prefect_deployment_schedule" "this" {
  for_each = local.schedules

  deployment_id = prefect_deployment.this[each.value.deployment].id
  cron          = each.value.cron
  timezone      = each.value.timezone
  active        = each.value.active

  lifecycle {
    ignore_changes = [active] # who switches a schedule on in the UI is not overruled
  }
}

resource "prefect_variable" "image" {
  count = var.image == null ? 0 : 1

  name  = "groupstream_image"
  value = var.image
  tags  = ["groupstream"]
}
