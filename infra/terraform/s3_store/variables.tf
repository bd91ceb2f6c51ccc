variable "bucket" {
  description = "The name of the bucket, which nobody else on AWS may have."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket; empty for the whole bucket."
  type        = string
  default     = ""
}

variable "readers" {
  description = "Who may assume the role that lists and reads, as ARNs of roles, users or accounts: arn:aws:iam::ACCOUNT:role/NAME. For workloads with a role of their own, attach the policy to that."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.readers : can(regex("^arn:aws:iam::[0-9]{12}:(root|(role|user)/.+)$", arn))])
    error_message = "Give each as an ARN of a role, a user or an account; * would be everybody."
  }
}

variable "writers" {
  description = "Who may assume the role that builds and publishes, as ARNs of roles, users or accounts: arn:aws:iam::ACCOUNT:role/NAME. For workloads with a role of their own, attach the policy to that."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.writers : can(regex("^arn:aws:iam::[0-9]{12}:(root|(role|user)/.+)$", arn))])
    error_message = "Give each as an ARN of a role, a user or an account; * would be everybody."
  }
}

variable "maintainers" {
  description = "Who may assume the role that deletes, as ARNs of roles, users or accounts: arn:aws:iam::ACCOUNT:role/NAME. For workloads with a role of their own, attach the policy to that."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.maintainers : can(regex("^arn:aws:iam::[0-9]{12}:(root|(role|user)/.+)$", arn))])
    error_message = "Give each as an ARN of a role, a user or an account; * would be everybody."
  }
}

variable "undelete_days" {
  description = "For how many days what was overwritten or deleted can be brought back."
  type        = number
  default     = 14

  validation {
    condition     = var.undelete_days >= 1 && floor(var.undelete_days) == var.undelete_days
    error_message = "undelete_days is a whole number of days, 1 or more."
  }
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
