variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "name" {
  description = "The name of the cluster."
  type        = string
  default     = "groupstream"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,22}[a-z0-9]$", var.name))
    error_message = "The name has 6 to 24 lower-case letters, digits and -, begins with a letter, and does not end with -."
  }
}

variable "location" {
  description = "A zone such as europe-west4-a, or a region such as europe-west4, which has machines in three zones. GPUs are in some zones only."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+(-[a-z])?$", var.location))
    error_message = "Give a zone such as europe-west4-a, or a region such as europe-west4."
  }
}

variable "network" {
  description = "The network, as projects/PROJECT/global/networks/NAME."
  type        = string
}

variable "subnetwork" {
  description = "The subnetwork, with ranges for pods and services."
  type        = string
}

variable "pod_ranges" {
  description = "The names of these ranges."
  type        = object({ pods = string, services = string })
  default     = { pods = "pods", services = "services" }
}

variable "namespace" {
  description = "The namespace of Kubernetes in which the worker and its runs are."
  type        = string
  default     = "groupstream"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "A namespace has up to 63 lower-case letters, digits and -."
  }
}

variable "builds" {
  description = "The machines of builds: their type, how many there may be at once, whether Google may take them back (a build then goes on where it was), and their disk."
  type        = object({ machine_type = string, max = number, is_spot = bool, disk_gb = number })
  default     = { machine_type = "n2-standard-8", max = 4, is_spot = true, disk_gb = 500 }

  validation {
    condition     = var.builds.max >= 1 && var.builds.disk_gb >= 20
    error_message = "There is at least one machine, with a disk of 20 GB or more."
  }
}

variable "gpus" {
  description = "The machines with GPUs, in the same way; none costs anything while no run asks for one. null for none. Models such as nvidia-l4 need machines that are made for them, here g2."
  type        = object({ machine_type = string, max = number, is_spot = bool, disk_gb = number, gpu = object({ type = string, count = number }) })
  default     = { machine_type = "g2-standard-8", max = 1, is_spot = true, disk_gb = 200, gpu = { type = "nvidia-l4", count = 1 } }

  validation {
    condition     = var.gpus == null ? true : var.gpus.max >= 1 && var.gpus.gpu.count >= 1
    error_message = "There is at least one machine with at least one GPU; for none, set gpus = null."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of the cluster and of its machines."
  type        = map(string)
  default     = {}
}
