// Checks the container files in contrib/ with the code that uses them: the compose file with the
// loader of docker compose, kustomizations with kustomize, the PodMonitor with the types of
// prometheus-operator. Writes the manifests to a folder, and prints the arguments of each command
// line of peermux, as one JSON array per line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: check CONTRIB FOLDER")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "contrib:", err)
		os.Exit(1)
	}
}

func check(contrib, out string) error {
	if err := composeFile(filepath.Join(contrib, "container", "compose.yaml")); err != nil {
		return err
	}
	for _, name := range []string{"base", "hosts", "balancers"} {
		if err := kustomization(filepath.Join(contrib, "kubernetes", name), out); err != nil {
			return fmt.Errorf("kubernetes/%s: %w", name, err)
		}
	}
	return podMonitor(filepath.Join(contrib, "kubernetes"))
}

// Loads the compose file. The files that it mounts must exist.
func composeFile(path string) error {
	options, err := cli.NewProjectOptions([]string{path})
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	nodes := 0
	for name, service := range project.Services {
		for _, mount := range service.Volumes {
			if _, err := os.Stat(mount.Source); mount.Type == "bind" && err != nil {
				return fmt.Errorf("service %s: %w", name, err)
			}
		}
		if service.Image == "peermux" && len(service.Command) > 0 {
			nodes++
			if err := commandLine(service.Command); err != nil {
				return err
			}
		}
	}
	if nodes != 4 {
		return fmt.Errorf("%s has %d services that run peermux", path, nodes)
	}
	return nil
}

// Builds and writes the manifests, and checks the StatefulSet.
func kustomization(path, out string) error {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		return err
	}
	text, err := built.AsYaml()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, filepath.Base(path)+".yaml"), text, 0o644); err != nil {
		return err
	}
	for _, resource := range built.Resources() {
		if resource.GetKind() != "StatefulSet" {
			continue
		}
		var set apps.StatefulSet
		if err := yaml.UnmarshalStrict([]byte(resource.MustYaml()), &set); err != nil {
			return err
		}
		return commandLine(expand(set.Spec.Template.Spec.Containers[0].Args))
	}
	return fmt.Errorf("no StatefulSet")
}

// Replaces variables as Kubernetes does.
func expand(args []string) []string {
	variables := strings.NewReplacer("$(POD_NAME)", "peermux-0", "$(HOST_IP)", "192.0.2.1")
	args = slices.Clone(args)
	for i, arg := range args {
		args[i] = variables.Replace(arg)
	}
	return args
}

func commandLine(args []string) error {
	if slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "$(") }) {
		return fmt.Errorf("an unknown variable in %q", args)
	}
	return json.NewEncoder(os.Stdout).Encode(args)
}

// The monitor must find the pods and the port of the StatefulSet.
func podMonitor(kubernetes string) error {
	var monitor monitoring.PodMonitor
	if err := read(filepath.Join(kubernetes, "monitoring", "podmonitor.yaml"), &monitor); err != nil {
		return err
	}
	var set apps.StatefulSet
	if err := read(filepath.Join(kubernetes, "base", "statefulset.yaml"), &set); err != nil {
		return err
	}
	if monitor.APIVersion != "monitoring.coreos.com/v1" || monitor.Kind != "PodMonitor" {
		return fmt.Errorf("the monitor is a %s of %s", monitor.Kind, monitor.APIVersion)
	}
	if len(monitor.Spec.Selector.MatchLabels) == 0 || len(monitor.Spec.PodMetricsEndpoints) == 0 {
		return fmt.Errorf("the monitor selects nothing")
	}
	for key, value := range monitor.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[key] != value {
			return fmt.Errorf("the monitor selects %s=%s, which no pod has", key, value)
		}
	}
	for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
		named := false
		for _, port := range set.Spec.Template.Spec.Containers[0].Ports {
			named = named || endpoint.Port != nil && port.Name == *endpoint.Port
		}
		if !named {
			return fmt.Errorf("no container has the port of the monitor")
		}
	}
	return nil
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
