{{- define "sekoia-chatops.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "sekoia-chatops.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "sekoia-chatops.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sekoia-chatops.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sekoia-chatops.selector" -}}
app.kubernetes.io/name: {{ include "sekoia-chatops.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sekoia-chatops.labels" -}}
{{ include "sekoia-chatops.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "sekoia-chatops.postgresql" -}}
{{- if or .Values.postgresql.existingSecret .Values.postgresql.address }}true{{ end }}
{{- end }}

{{/* How long a pod that is to stop still takes requests. Nobody sends any if there is no Service. */}}
{{- define "sekoia-chatops.drainSeconds" -}}
{{- $called := or .Values.service.enabled .Values.ingress.enabled }}
{{- if and (include "sekoia-chatops.postgresql" .) $called (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) }}
{{- int .Values.service.drainSeconds }}
{{- else }}
{{- 0 }}
{{- end }}
{{- end }}

{{- define "sekoia-chatops.image" -}}
{{- $repository := required "Set image.repository to where you pushed the image." .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "sekoia-chatops.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "sekoia-chatops.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}
