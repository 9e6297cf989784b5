{{/* The name of every object. */}}
{{- define "brickline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* What Services and policies select the controller's pods by: must never change. */}}
{{- define "brickline.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* Labels of every object. */}}
{{- define "brickline.labels" -}}
{{ include "brickline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: brickline
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "brickline.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "brickline.fullname" .) }}
{{- end -}}

{{/* One image: (list $ .Values.images.controller). */}}
{{- define "brickline.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end -}}

{{- define "brickline.artifactUrl" -}}
{{ .Values.artifactStore.url | default (printf "https://%s-artifacts.%s.svc:8443" (include "brickline.fullname" .) .Release.Namespace) }}
{{- end -}}

{{/* The ConfigMap with the certificate authorities; empty if there is none. */}}
{{- define "brickline.caConfigMap" -}}
{{- if .Values.caBundle.pem -}}
{{ include "brickline.fullname" . }}-ca-bundle
{{- else -}}
{{ .Values.caBundle.configMap }}
{{- end -}}
{{- end -}}
