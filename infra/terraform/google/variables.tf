variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where the registry runs, and the bucket lies unless `location` says otherwise, such as europe-west4."
  type        = string
}

variable "location" {
  description = "Where the bucket lies, such as EU. Default: in the region."
  type        = string
  default     = null
}

variable "bucket" {
  description = "The name of the bucket."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket."
  type        = string
  default     = "datasets"
}

variable "network" {
  description = "A network that is there already, for the registry and the cluster, with private services access. Needs create_network = false."
  type        = string
  default     = null
}

variable "readers" {
  description = "Who may list and read; see gcs_store."
  type        = set(string)
  default     = []
}

variable "reader_workloads" {
  description = "Workloads that act as the reader; see gcs_store."
  type        = set(string)
  default     = []
}

variable "writer_workloads" {
  description = "Workloads that build and publish; see gcs_store."
  type        = set(string)
  default     = []
}

variable "writer_users" {
  description = "People who may act as the writer."
  type        = set(string)
  default     = []
}

variable "maintainer_users" {
  description = "People who may act as the maintainer."
  type        = set(string)
  default     = []
}

variable "subnetwork" {
  description = "Its subnetwork, for the cluster, with ranges called pods and services."
  type        = string
  default     = null
}

variable "zone" {
  description = "Where the cluster is. Default: the zone a of the region. GPUs are in some zones only."
  type        = string
  default     = null
}

variable "staging_days" {
  description = "After so many days what a build wrote and did not publish goes; see gcs_store."
  type        = number
  default     = 7
}

variable "report_days" {
  description = "After so many days the reports of checks go; null keeps them."
  type        = number
  default     = null
}

variable "create_network" {
  description = "Whether to make a network whose machines have no public addresses. Then the registry has none, either."
  type        = bool
  default     = false

  validation {
    condition     = !(var.create_network && var.network != null)
    error_message = "Give a network that is there, or create_network = true for a new one; not both."
  }
}

variable "reaches_internet" {
  description = "Whether the new network has a gateway, for sources on the internet."
  type        = bool
  default     = true
}

variable "create_images" {
  description = "Whether to make a repository of images."
  type        = bool
  default     = false
}

variable "github_repositories" {
  description = "Repositories on GitHub whose workflows push images, as OWNER/NAME; see artifact_registry."
  type        = set(string)
  default     = []
}

variable "create_dataflow" {
  description = "Whether builds may run on Dataflow."
  type        = bool
  default     = false
}

variable "source_buckets" {
  description = "Other buckets of which builds read sources, on Dataflow too."
  type        = set(string)
  default     = []
}

variable "create_cluster" {
  description = "Whether to make a cluster of Kubernetes for builds, with Prefect's worker."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_cluster || var.create_network || (var.network != null && var.subnetwork != null)
    error_message = "A cluster needs create_network = true, or a network and a subnetwork."
  }
}

variable "builds" {
  description = "The machines of builds; see gke_cluster."
  type        = object({ machine_type = string, max = number, is_spot = bool, disk_gb = number })
  default     = { machine_type = "n2-standard-8", max = 4, is_spot = true, disk_gb = 500 }
}

variable "create_gpu_pool" {
  description = "Whether the cluster has machines with GPUs, which are there only while a run asks for one."
  type        = bool
  default     = false

  validation {
    condition     = !var.create_gpu_pool || var.create_cluster
    error_message = "Machines with GPUs are in the cluster: create_gpu_pool = true needs create_cluster = true."
  }
}

variable "gpus" {
  description = "The machines with GPUs; see gke_cluster."
  type        = object({ machine_type = string, max = number, is_spot = bool, disk_gb = number, gpu = object({ type = string, count = number }) })
  default     = { machine_type = "g2-standard-8", max = 1, is_spot = true, disk_gb = 200, gpu = { type = "nvidia-l4", count = 1 } }
}

variable "create_vertex_ai" {
  description = "Whether training may run on Vertex AI."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster. The registry is always protected."
  type        = bool
  default     = true
}

variable "proxy_image" {
  description = "The image of the Cloud SQL Auth Proxy, in the version that you trust."
  type        = string
  default     = "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.14.1"
}
