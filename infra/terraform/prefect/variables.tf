variable "endpoint" {
  description = "The API: http://HOST:4200/api of an own server, or https://api.prefect.cloud for Prefect Cloud, with an account and a workspace."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/?#@]+(/[^?#@]*)?$", var.endpoint))
    error_message = "Give the address of an API such as http://localhost:4200/api, without user, password and query: a key comes by PREFECT_API_KEY."
  }
}

variable "account_id" {
  description = "The account in Prefect Cloud. Default: none, for an own server."
  type        = string
  default     = null
}

variable "workspace_id" {
  description = "The workspace in Prefect Cloud. Default: none, for an own server."
  type        = string
  default     = null

  validation {
    condition     = (var.workspace_id == null) == (var.account_id == null)
    error_message = "Prefect Cloud needs account_id and workspace_id, an own server neither."
  }
}

variable "checkout" {
  description = "The folder with prefect.yaml and automations.yaml. Default: the checkout that this folder lies in."
  type        = string
  default     = null
}

variable "parameter_schemas_file" {
  description = "What parameter_schemas.py of this folder prints. Without it deployments have no form and check no parameters."
  type        = string
  default     = null
}

variable "image" {
  description = "The image of runs, ADDRESS/groupstream-worker:1. It is a variable of Prefect, groupstream_image: changed there, it is the image of the next run. Default: what the pool has."
  type        = string
  default     = null
}

variable "environment" {
  description = "Variables of the environment of each run, such as the output worker_environment of ../google. No secrets: the server shows them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for each in values(var.environment) : !can(regex("://[^/@]*:[^/@]*@", each))])
    error_message = "An address here has a password, which the server would show; sign in as an account of IAM, or mount a secret."
  }
}

variable "flow_job_variables" {
  description = "Variables of the pool for the runs of one flow, by its name: {maintain = {service_account_name = \"maintainer\"}}. `env` is added to the environment."
  type        = any
  default     = {}

  validation {
    condition     = alltrue([for flow in keys(var.flow_job_variables) : contains(local.flows, flow)])
    error_message = "There is no such flow; they are ${join(", ", local.flows)}."
  }
}

variable "pool_type" {
  description = "Who starts runs: process (the machine of the worker), kubernetes, vertex-ai, docker or cloud-run-v2."
  type        = string
  default     = "process"

  validation {
    condition     = contains(["process", "kubernetes", "vertex-ai", "docker", "cloud-run-v2"], var.pool_type)
    error_message = "pool_type is process, kubernetes, vertex-ai, docker or cloud-run-v2."
  }
}

variable "pool_defaults" {
  description = "Defaults of the pool's own variables, such as {node_selector = {...}} for kubernetes."
  type        = any
  default     = {}

  validation {
    condition     = can(keys(var.pool_defaults))
    error_message = "pool_defaults is names and values, such as {namespace = \"groupstream\"}."
  }
}

variable "pod" {
  description = "For kubernetes, what the specification of each pod has besides: in `prefect` of ../google's outputs."
  type        = any
  default     = {}

  validation {
    condition     = length(var.pod) == 0 || var.pool_type == "kubernetes"
    error_message = "Only a pool of type kubernetes has pods."
  }
}

variable "create_gpu_pool" {
  description = "Whether there is a second pool, groupstream-gpu, whose runs have a GPU and the account of the trainer."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_gpu_pool || var.pool_type == "kubernetes"
    error_message = "Runs with a GPU are pods: create_gpu_pool = true needs pool_type = \"kubernetes\"."
  }
}

variable "concurrency_limit" {
  description = "How many runs there are at once; more wait."
  type        = number
  default     = 10

  validation {
    condition     = var.concurrency_limit >= 1 && floor(var.concurrency_limit) == var.concurrency_limit
    error_message = "concurrency_limit is a whole number, 1 or more."
  }
}

variable "webhook_url" {
  description = "Where a word goes when a run fails, such as a webhook of a chat. It is in the state and in a block of Prefect, hidden in both."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.webhook_url == null ? true : startswith(var.webhook_url, "https://")
    error_message = "webhook_url begins with https://."
  }
}

variable "starting_seconds" {
  description = "How long a run may take until its first sign of life, before it counts as dead: in a cluster a machine is found and an image pulled first. Default: what automations.yaml says."
  type        = number
  default     = null

  validation {
    condition     = var.starting_seconds == null ? true : alltrue([for name, each in local.automations : var.starting_seconds >= each.trigger.within if endswith(name, "-starts")])
    error_message = "starting_seconds is not less than what automations.yaml says; less would end runs that are well."
  }
}
