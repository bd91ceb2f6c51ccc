"""What stands in Prefect (deployments, work pool, automations) and the processes of a local platform."""
