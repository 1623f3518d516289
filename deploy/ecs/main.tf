# akia serve on ECS Fargate: two tasks behind a load balancer that ends TLS, PostgreSQL for what they share, a task role and no access key.
#
#   terraform init && terraform apply -var-file=team.tfvars

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

variable "image" {
  description = "The image, with its digest: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/akia@sha256:…"
  type        = string
}

variable "name" {
  description = "What everything is called"
  type        = string
  default     = "akia"
}

variable "host" {
  description = "The name that people type, as in akia.example.com"
  type        = string
}

variable "certificate_arn" {
  description = "ACM's certificate of that name"
  type        = string
}

variable "vpc_id" {
  type = string
}

variable "private_subnet_ids" {
  description = "Where the tasks and the load balancer live"
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Who may reach the page: your network, never 0.0.0.0/0"
  type        = list(string)
}

variable "settings" {
  description = "More of akia.toml: serve.oidc with client-secret = { env = \"AKIA_OIDC_SECRET\" }, and the jobs"
  type        = string
}

variable "oidc_secret_arn" {
  description = "A secret of Secrets Manager with the secret of the login's client"
  type        = string
}

variable "files_image" {
  description = "An image with sh, which writes the settings into a volume before akia begins"
  type        = string
  default     = "public.ecr.aws/docker/library/busybox:1.37"
}

locals {
  settings = <<-EOT
    [serve]
    listen = "0.0.0.0:7443"
    address = "https://${var.host}"
    behind-proxy = true

    ${var.settings}
  EOT
}

variable "database_secret_arn" {
  description = "A secret of Secrets Manager whose value is postgres://USER:PASSWORD@HOST/akia?sslmode=verify-full"
  type        = string
}

variable "sealing_key_secret_arn" {
  description = "A secret of Secrets Manager whose value is 32 random bytes in base64: staged keys are sealed with it"
  type        = string
}

variable "audit_role_name" {
  description = "The role that an audit takes on in each account"
  type        = string
  default     = "AkiaAudit"
}

data "aws_region" "here" {}
data "aws_partition" "here" {}

resource "aws_ecs_cluster" "akia" {
  name = var.name
}

resource "aws_cloudwatch_log_group" "akia" {
  name              = "/akia/${var.name}"
  retention_in_days = 90
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What akia itself may do: take on the role of the audit. `akia policy audit --org` prints what that role needs, `akia policy enforce`
# what enforcement needs on top.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy" "task" {
  role = aws_iam_role.task.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "sts:AssumeRole"
        Resource = "arn:${data.aws_partition.here.partition}:iam::*:role/${var.audit_role_name}"
      },
      {
        Effect   = "Allow"
        Action   = ["organizations:ListAccounts", "organizations:ListRoots", "organizations:ListOrganizationalUnitsForParent", "organizations:ListAccountsForParent", "organizations:DescribeOrganization"]
        Resource = "*"
      },
    ]
  })
}

# What ECS may do for it: fetch the image, write the log, read the three secrets.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "secrets" {
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = [var.database_secret_arn, var.sealing_key_secret_arn, var.oidc_secret_arn]
    }]
  })
}

resource "aws_security_group" "balancer" {
  name   = "${var.name}-balancer"
  vpc_id = var.vpc_id

  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = var.allowed_cidrs
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group" "task" {
  name   = "${var.name}-task"
  vpc_id = var.vpc_id

  ingress {
    from_port       = 7443
    to_port         = 7443
    protocol        = "tcp"
    security_groups = [aws_security_group.balancer.id]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "akia" {
  name               = var.name
  internal           = true
  load_balancer_type = "application"
  security_groups    = [aws_security_group.balancer.id]
  subnets            = var.private_subnet_ids

  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "akia" {
  name        = var.name
  port        = 7443
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  deregistration_delay = 30

  health_check {
    path     = "/readyz"
    interval = 10
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.akia.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.akia.arn
  }
}

resource "aws_ecs_task_definition" "akia" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn

  volume {
    name = "state"
  }

  volume {
    name = "files"
  }

  volume {
    name = "tmp"
  }

  # A container that lives for a moment writes the files that akia reads; nothing of it stays in the environment of akia but the database.
  container_definitions = jsonencode([
    {
      name                   = "files"
      image                  = var.files_image
      essential              = false
      command                = ["sh", "-c", "umask 077; printf %s \"$SETTINGS\" > /files/akia.toml; printf %s \"$SEALING_KEY\" > /files/sealing.key; chown -R 65532:65532 /files /state"]
      readonlyRootFilesystem = true
      mountPoints = [
        { sourceVolume = "files", containerPath = "/files" },
        { sourceVolume = "state", containerPath = "/state" },
      ]
      environment = [{ name = "SETTINGS", value = local.settings }]
      secrets     = [{ name = "SEALING_KEY", valueFrom = var.sealing_key_secret_arn }]
    },
    {
      name                   = "akia"
      image                  = var.image
      command                = ["serve"]
      user                   = "65532:65532"
      readonlyRootFilesystem = true
      stopTimeout            = 45
      dependsOn              = [{ containerName = "files", condition = "SUCCESS" }]
      portMappings           = [{ containerPort = 7443 }]
      mountPoints = [
        { sourceVolume = "files", containerPath = "/files", readOnly = true },
        { sourceVolume = "state", containerPath = "/state" },
        { sourceVolume = "tmp", containerPath = "/tmp" },
      ]
      environment = [
        { name = "AKIA_CONFIG", value = "/files/akia.toml" },
        { name = "AKIA_SEALING_KEY_FILE", value = "/files/sealing.key" },
      ]
      secrets = [
        { name = "AKIA_DATABASE", valueFrom = var.database_secret_arn },
        { name = "AKIA_OIDC_SECRET", valueFrom = var.oidc_secret_arn },
      ]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.akia.name
          awslogs-region        = data.aws_region.here.name
          awslogs-stream-prefix = "akia"
        }
      }
    },
  ])
}

resource "aws_ecs_service" "akia" {
  name            = var.name
  cluster         = aws_ecs_cluster.akia.id
  task_definition = aws_ecs_task_definition.akia.arn
  desired_count   = 2
  launch_type     = "FARGATE"

  network_configuration {
    subnets         = var.private_subnet_ids
    security_groups = [aws_security_group.task.id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.akia.arn
    container_name   = "akia"
    container_port   = 7443
  }

  depends_on = [aws_lb_listener.https]
}

output "address" {
  description = "Point the name at this"
  value       = aws_lb.akia.dns_name
}
