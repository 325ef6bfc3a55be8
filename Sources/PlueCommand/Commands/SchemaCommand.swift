import ArgumentParser
import PlueConfig
import PlueDaemon

/// `plue schema`: the settings there are, in one of three forms.
struct SchemaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print every setting there is: as JSON Schema, as a reference page, or as a sample file.")

    enum Form: String, CaseIterable, ExpressibleByArgument {
        case jsonSchema = "json-schema"
        case markdown, ini
    }

    @OptionGroup var options: GlobalOptions

    @Option(name: .customLong("as"), help: "The form.")
    var form = Form.jsonSchema

    func run() async throws {
        let deployment = try options.deployment()
        do {
            let model = try deployment.model()
            switch form {
            case .jsonSchema: options.print(model.jsonSchema(title: "Plue"))
            case .markdown: options.print(model.markdown(title: "Settings"))
            case .ini: options.print(model.sampleINI())
            }
        } catch {
            throw options.end(error)
        }
    }
}
