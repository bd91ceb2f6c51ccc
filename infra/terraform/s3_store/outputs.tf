output "root" {
  description = "GROUPSTREAM_ROOT."
  value       = module.rules.s3_root
}

output "roles" {
  description = "The ARNs of the roles that somebody may assume."
  value       = { for name, role in aws_iam_role.role : name => role.arn }
}

output "policies" {
  description = "The ARNs of the policies, to attach to roles that workloads have already."
  value       = { for name, policy in aws_iam_policy.role : name => policy.arn }
}
