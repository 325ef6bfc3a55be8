import ArgumentParser
import PlueConfig
import PlueDaemon
import PlueDocuments
import SystemPackage

/// `plue parse`: the language alone.
struct ParseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parse", abstract: "Print a document as JSON, {section: {key: raw value}}; no schema, no substitution.",
        discussion: "Raw values are printed as they stand in the file, secrets included.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The document.")
    var file: String

    func run() async throws {
        do {
            let bytes = try SystemFiles().read(FilePath(file))
            let document = try Document(parsing: bytes, name: file)
            var sections: JSONValue = [:]
            for section in document.sections {
                for entry in document.entries[section.entries] {
                    sections[section.name, default: [:]][document.key(of: entry)] = .string(document.rawText(of: entry))
                }
                if section.entries.isEmpty, sections[section.name] == nil { sections[section.name] = [:] }
            }
            options.print(sections)
        } catch let error as SyntaxErrors {
            throw options.refuse(error.problems.map { Diagnostic($0, inFile: file) })
        } catch let error as FileReadError {
            options.complain("\(error)")
            throw ExitCode.failure
        }
    }
}
