import ArgumentParser
import Foundation
import PlueConfig
import PlueDaemon
import SystemPackage

/// `plue init`: sample files to start from.
struct Initialize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write sample documents for development, staging and production; never over one that is there.")

    @OptionGroup var options: GlobalOptions

    @Argument(help: "Where; the configuration directory when left out.")
    var directory: String?

    func run() async throws {
        let directory = FilePath(directory ?? options.configDirectory ?? "config")
        do {
            try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
            for (name, text) in SampleDirectory.documents {
                let path = directory.appending(name)
                // Created exclusively: a file that is there, or a link that points elsewhere, is never written through.
                let file = try FileDescriptor.open(
                    path, .writeOnly, options: [.create, .exclusiveCreate], permissions: [.ownerReadWrite, .groupRead, .otherRead])
                try file.closeAfter { _ = try file.writeAll(text.utf8) }
                options.print("wrote \(path)")
            }
            options.print("next: plue check --config-dir \(directory)")
        } catch Errno.fileExists {
            options.complain("\(directory) already has these documents; nothing was overwritten")
            throw ExitCode.conflict
        } catch {
            options.complain(
                "\(directory) cannot be written: \((error as? Errno).map(String.init(describing:)) ?? "no permission, or not a directory")")
            throw ExitCode.failure
        }
    }
}
